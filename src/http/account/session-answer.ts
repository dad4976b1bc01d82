import type { OpenSession } from '../../session/lifecycle/sessions.ts'
import { idleEndsAtMs, type SessionLimits } from '../../session/record/session.ts'
import type { DeviceAnswer } from '../device/device-offer.ts'
import type { GatewayPaths } from '../server/paths.ts'

/** The answer of `GET /session` (DESIGN section 2.1). */
export type SessionAnswer =
  | {
      readonly authenticated: false
      readonly loginUrl: string
      /** What is known of the reason, for a person. */
      readonly detail?: string
    }
  | ({
      readonly authenticated: true
      readonly user: Readonly<Record<string, unknown>>
      /** Whole seconds to the absolute end. */
      readonly expiresIn: number
      /** Whole seconds to the end for want of activity, never more than `expiresIn`. */
      readonly idleExpiresIn: number
      readonly loginUrl: string
      readonly logoutUrl: string
      // The device is there where sessions are bound to devices.
    } & Partial<DeviceAnswer>)

/** Describes a session to the page that it belongs to: claims and deadlines, no token. */
export function describeSession(
  session: OpenSession | undefined,
  shownClaims: readonly string[],
  paths: Pick<GatewayPaths, 'login' | 'logout'>,
  limits: SessionLimits,
  nowMs: number,
): SessionAnswer {
  if (session === undefined) return { authenticated: false, loginUrl: paths.login }
  const { view, record } = session
  const expiresIn = secondsUntil(view.endsAtMs, nowMs)
  return {
    authenticated: true,
    user: pickOwn(record.identity.claims, shownClaims),
    expiresIn,
    idleExpiresIn: Math.min(expiresIn, secondsUntil(idleEndsAtMs(view, limits), nowMs)),
    loginUrl: paths.login,
    logoutUrl: paths.logout,
  }
}

/** Sessions keep further claims, which routes read. */
function pickOwn(claims: Readonly<Record<string, unknown>>, names: readonly string[]) {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => names.includes(name)))
}

function secondsUntil(endMs: number, nowMs: number): number {
  return Math.max(0, Math.floor((endMs - nowMs) / 1_000))
}
