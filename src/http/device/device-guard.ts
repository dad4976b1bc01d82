import type { IncomingHttpHeaders } from 'node:http'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { DeviceRule, DeviceVerdict } from '../../session/device/device-rule.ts'
import { type DeviceKey, withDemand } from '../../session/device/registration.ts'
import type { AccessTokens, Sessions } from '../../session/lifecycle/sessions.ts'
import type { SessionView } from '../../session/record/session.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { Cookies } from '../cookies/cookies.ts'

/** Says whether a request of a session comes from the device that the session is bound to. */
export interface DeviceGuard {
  /** For how long a proof still counts after its end, milliseconds. */
  readonly toleranceMs: number
  /** From when on a proof is demanded of this session, epoch milliseconds; `undefined`: of itself never. */
  demandedFromMs(view: SessionView): number | undefined
  /**
   * Synchronous; nothing is asked of the store. The first good proof of a session is written into its record, in the background: from then
   * on every node demands one.
   *
   * @returns until when the proof counts, epoch milliseconds; `undefined` for a session of which none is demanded
   * @throws GatewayError `device_proof_missing`; `overloaded` when the browser says that it could not renew its proof
   */
  check(untrustedId: string, view: SessionView, untrustedHeaders: IncomingHttpHeaders): number | undefined
  /** The same where nothing is demanded: a first good proof counts wherever it comes. */
  notice(untrustedId: string, view: SessionView, untrustedHeaders: IncomingHttpHeaders): void
}

/** What the guard works with. */
export interface DeviceGuardParts {
  /** By the store's clock. */
  readonly rule: DeviceRule
  /** How far that clock is ahead of this process's, milliseconds. */
  readonly aheadMs: () => number
  readonly toleranceMs: number
  readonly cookies: Pick<Cookies, 'readDevice'>
  readonly sessions: Pick<Sessions, 'open'>
  readonly accessTokens: Pick<AccessTokens, 'update'>
  readonly telemetry: Pick<Telemetry, 'log'>
}

/** Makes the guard. */
export function createDeviceGuard(parts: DeviceGuardParts): DeviceGuard {
  const { rule, cookies, aheadMs, toleranceMs } = parts
  const enforce = createEnforcing(parts)
  const judge: (...of: Parameters<DeviceGuard['check']>) => DeviceVerdict | undefined = (
    untrustedId,
    view,
    untrustedHeaders,
  ) => {
    const { device } = view
    if (device === undefined) return undefined
    const verdict = rule.judge(view, device, cookies.readDevice(untrustedHeaders.cookie))
    if (verdict.kind === 'proven' && verdict.isFirst && device.publicJwk !== undefined)
      enforce(untrustedId, view.h, device.publicJwk)
    return verdict
  }
  const byOurClock = (atMs: number | undefined): number | undefined =>
    atMs === undefined ? undefined : atMs - aheadMs()
  return {
    toleranceMs,
    demandedFromMs: ({ device }) =>
      device === undefined ? undefined : byOurClock(rule.demandedFromMs(device)),
    check(untrustedId, view, untrustedHeaders) {
      const verdict = judge(untrustedId, view, untrustedHeaders)
      if (verdict?.kind === 'unproven') throw unproven(untrustedHeaders)
      return byOurClock(verdict?.untilMs)
    },
    notice: (...of) => void judge(...of),
  }
}

/** Soon enough for a person, and late enough for a browser that holds back its next renewal, seconds. */
const skippedRetrySeconds = 5

/** A browser that was not able to renew its cookie sends the request all the same, and says so. */
function unproven(untrustedHeaders: IncomingHttpHeaders): GatewayError {
  if (untrustedHeaders['secure-session-skipped'] === undefined)
    return new GatewayError('device_proof_missing')
  return new GatewayError('overloaded', {
    detail: 'The browser could not prove its device just now. Your session is kept; try again.',
    retryAfterSeconds: skippedRetrySeconds,
    context: { reason: 'the browser skipped the proof of its device' },
  })
}

function createEnforcing({ sessions, accessTokens, telemetry }: DeviceGuardParts) {
  const underWay = new Set<string>()
  const write = async (untrustedId: string, provenJwk: DeviceKey): Promise<void> => {
    const session = await sessions.open(untrustedId)
    if (session !== undefined) await accessTokens.update(session, (record) => withDemand(record, provenJwk))
  }
  return (untrustedId: string, h: string, provenJwk: DeviceKey): void => {
    if (underWay.has(h)) return
    underWay.add(h)
    write(untrustedId, provenJwk)
      // The next request tries again: it brings a first good proof too.
      .catch((error: unknown) => telemetry.log.debug({ err: error }, 'a device is not enforced yet'))
      .finally(() => underWay.delete(h))
  }
}
