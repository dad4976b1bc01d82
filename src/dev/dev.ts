import { randomBytes } from 'node:crypto'
import { createGateway, type Gateway } from '../app.ts'
import type { Environment } from '../config/environment.ts'
import { type Config, loadConfig } from '../config/load-config.ts'
import { answerControl, controlPath } from './control-page.ts'
import { type DevOptions, devSettings } from './dev-settings.ts'
import { choosePort } from './ports.ts'
import type { DemoApi, DemoUser } from './provider/options.ts'
import { type DemoProvider, startDemoProvider } from './provider/provider.ts'

/** A running gateway with its test provider. */
export interface Dev {
  readonly config: Config
  readonly provider: DemoProvider
  readonly users: readonly DemoUser[]
  /** Where the provider's buttons are. */
  readonly controlUrl: string
  stop(): Promise<void>
}

const preferredProviderPort = 4455
const identityScopes: ReadonlySet<string> = new Set(['openid', 'profile', 'email', 'offline_access'])

/**
 * Starts a test provider, and a gateway that signs in there, for whatever `.env` says of the app.
 *
 * @param users who can sign in; default two people, of whom the second has no permissions
 * @throws ConfigError, and the listen error of Node
 */
export async function startDev(
  env: Environment,
  options: DevOptions,
  users?: readonly DemoUser[],
): Promise<Dev> {
  const port = await choosePort(preferredProviderPort)
  const client = {
    issuer: `http://127.0.0.1:${port}/`,
    clientId: 'dev',
    clientSecret: randomBytes(32).toString('base64url'),
  }
  const config = loadConfig(devSettings(env, options, client))
  const apis = apisOf(config)
  const people = users ?? defaultUsers(apis)
  const provider: DemoProvider = await startDemoProvider({
    port,
    apis,
    users: people,
    acrValues: ['basic', 'mfa'],
    accessTokenTtlSeconds: 600,
    clients: [{ ...client, baseUrl: config.baseUrl.origin, authPrefix: config.authPrefix }],
    intercept: (request, response) =>
      answerControl({ provider: () => provider, appUrl: () => config.baseUrl.href }, request, response),
  })
  const gateway = await listening(config).catch(async (error: unknown) => {
    await provider.stop()
    throw error
  })
  return {
    config,
    provider,
    users: people,
    controlUrl: new URL(controlPath, provider.issuer).href,
    async stop() {
      await closeNow(gateway)
      await provider.stop()
    },
  }
}

async function listening(config: Config): Promise<Gateway> {
  const gateway = await createGateway(config)
  try {
    await gateway.listen({ port: config.port, host: config.host })
    return gateway
  } catch (error) {
    await gateway.close()
    throw error
  }
}

/** Nobody waits for streams here: browsers keep connections open, some of them without ever asking anything. */
async function closeNow(gateway: Gateway): Promise<void> {
  const closed = gateway.close()
  gateway.server.closeAllConnections()
  await closed
}

/** Every API that the routes name, with the permissions that `SCOPE` and the routes ask for. */
function apisOf(config: Config): readonly DemoApi[] {
  const scopes = [config.scope, ...config.routes.map(({ audience }) => audience?.scope ?? '')]
  const permissions = [...new Set(scopes.join(' ').split(' '))].filter(
    (scope) => scope !== '' && !identityScopes.has(scope),
  )
  const audiences = config.routes.flatMap(({ audience }) => [audience?.value, ...(audience?.accepted ?? [])])
  return [...new Set(audiences)]
    .filter((identifier) => identifier !== undefined)
    .map((identifier) => ({ identifier, permissions }))
}

function defaultUsers(apis: readonly DemoApi[]): readonly DemoUser[] {
  const all = Object.fromEntries(apis.map(({ identifier, permissions }) => [identifier, permissions]))
  const count = apis[0]?.permissions.length ?? 0
  return [
    {
      id: 'dev|ada',
      name: 'Ada Okafor',
      email: 'ada@example.com',
      description: count === 0 ? 'ada@example.com' : 'Has every permission that SCOPE names.',
      permissions: all,
    },
    {
      id: 'dev|ben',
      name: 'Ben Lindqvist',
      email: 'ben@example.com',
      description: count === 0 ? 'ben@example.com' : 'Has none of them.',
      permissions: {},
    },
  ]
}
