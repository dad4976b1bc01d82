import { type BoundValues, createBoundValues } from '../../session/device/bound-values.ts'
import { createDeviceChallenges, type DeviceChallenges } from '../../session/device/challenges.ts'
import { createDeviceRule, toleranceMs } from '../../session/device/device-rule.ts'
import type { Cookies } from '../cookies/cookies.ts'
import type { GatewayPaths } from '../server/paths.ts'
import type { GatewayServices } from '../server/services.ts'
import { createDeviceGuard, type DeviceGuard } from './device-guard.ts'
import type { DeviceBindingOptions } from './device-options.ts'

/** The parts of device binding (DESIGN-2 section 9) of one frontend. */
export interface DeviceBinding {
  readonly guard: DeviceGuard
  readonly challenges: DeviceChallenges
  readonly values: BoundValues
  /** Life of the bound cookie, seconds. */
  readonly lifetimeSeconds: number
  readonly isRequired: boolean
  /** The store's clock, which is the same on every node, epoch milliseconds. */
  now(): number
  /** What a browser is told of its session's binding, as JSON; `sessionId` is the public id by which it knows the session. */
  instructions(sessionId: string): string
}

/** What the binding is made of. */
export interface DeviceBindingParts {
  readonly services: Pick<GatewayServices, 'sealer' | 'sessions' | 'accessTokens' | 'telemetry' | 'now'> & {
    readonly store: Pick<GatewayServices['store'], 'aheadMs'>
  }
  readonly cookies: Cookies
  readonly paths: GatewayPaths
}

/** Makes the binding; `undefined` where it is off, and where the browser has none: it binds nothing to an http origin. */
export function createDeviceBinding(
  options: DeviceBindingOptions,
  { services, cookies, paths }: DeviceBindingParts,
): DeviceBinding | undefined {
  if (options.deviceBinding === 'off' || options.baseUrl.protocol !== 'https:') return undefined
  const { sealer, store } = services
  const now = (): number => services.now() + store.aheadMs()
  const values = createBoundValues(sealer)
  const rule = createDeviceRule(options, values, now)
  const scope = scopeOf(options, paths)
  return {
    guard: createDeviceGuard({
      ...services,
      rule,
      cookies,
      aheadMs: store.aheadMs,
      toleranceMs: toleranceMs(options),
    }),
    challenges: createDeviceChallenges(sealer, options.deviceBindingLifetime, now),
    values,
    now,
    lifetimeSeconds: options.deviceBindingLifetime,
    isRequired: options.deviceBinding === 'required',
    instructions: (sessionId) =>
      JSON.stringify({
        session_identifier: sessionId,
        refresh_url: paths.deviceRefresh,
        scope,
        credentials: [{ type: 'cookie', name: cookies.device.name, attributes: cookies.device.attributes }],
      }),
  }
}

/**
 * Requests of the API and of `/session` and `/sessions` wait for a fresh cookie; pages and files do not need it. Browsers match whole
 * segments, the last rule that fits, and refuse a binding whose paths do not begin with a slash.
 */
function scopeOf({ routes }: DeviceBindingOptions, paths: GatewayPaths) {
  const proven = [...routes.map(({ prefix }) => prefix || '/'), paths.session, paths.sessions]
  return {
    include_site: false,
    scope_specification: [
      { type: 'exclude', domain: '*', path: '/' },
      ...proven.map((path) => ({ type: 'include', domain: '*', path })),
    ],
  }
}
