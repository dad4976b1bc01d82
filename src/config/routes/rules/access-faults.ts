import { isBeneath } from '../../../basics/path-prefix.ts'
import type { ConfigFault } from '../../config-error.ts'
import { isProxied, type RouteConfig } from '../route.ts'

/** The settings that routes depend on. */
interface AccessSettings {
  readonly gatewayKey: string | undefined
  readonly authPrefix: string
}

/** What routes ask of the settings and do not find there. */
export function accessFaults(
  routes: readonly RouteConfig[],
  { gatewayKey, authPrefix }: AccessSettings,
): readonly ConfigFault[] {
  const minting = routes.filter(({ access }) => access.token === 'gateway')
  const [first] = minting
  if (first === undefined) return []
  const nameless = minting.find(({ access }) => access.api?.accepted[0] === undefined)
  const inTheWay = routes.filter(isProxied).find(({ prefix }) => isWithin(`${authPrefix}/keys`, prefix))
  return [
    ...(gatewayKey === undefined
      ? [
          fault(
            'GATEWAY_KEY',
            `is missing: ${first.prefix} has token: gateway`,
            'GATEWAY_KEY_FILE=gateway.pem',
          ),
        ]
      : []),
    ...(nameless === undefined
      ? []
      : [
          fault(
            'API_AUDIENCE',
            `is missing: ${nameless.prefix} has token: gateway`,
            'API_AUDIENCE=https://api.example.com',
          ),
        ]),
    ...(inTheWay === undefined
      ? []
      : [
          fault(
            'AUTH_PREFIX',
            `must move ${authPrefix}/keys out of the way of ${inTheWay.prefix}`,
            'AUTH_PREFIX=/auth',
          ),
        ]),
  ]
}

function isWithin(path: string, prefix: string): boolean {
  return isBeneath(path, prefix) || isBeneath(prefix, path)
}

function fault(name: string, problem: string, example: string): ConfigFault {
  return { name, problem, example }
}
