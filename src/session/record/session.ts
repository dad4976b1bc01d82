import type { AccessToken, Identity, TokenBinding, TokenSet } from '../../oidc/tokens/token-set.ts'

/** Everything the gateway knows of a session; it exists in the clear only in memory. */
export interface SessionRecord {
  /** When the login was completed, epoch milliseconds. */
  readonly createdAtMs: number
  /** The absolute end: lifetime, `session_expiry`, or the access token's end when no refresh token is held. */
  readonly endsAtMs: number
  /** Browser family at login ("Firefox", "Chrome" …), for the user's own list. */
  readonly browserFamily: string
  readonly identity: Identity
  readonly tokens: TokenSet
  /** Absent: device binding was never offered. */
  readonly device?: DeviceState
  /** The step-up demand that the last login was to meet. */
  readonly lastDemand?: string
}

/** How far the session is bound to a device (DBSC). */
export interface DeviceState {
  /** When the binding was first offered, epoch milliseconds. */
  readonly offeredAtMs: number
  /** The device's public key, a JWK; absent: not bound yet. */
  readonly publicJwk?: Readonly<Record<string, unknown>>
  /** When that key was registered, epoch milliseconds; absent: longer ago than matters. */
  readonly registeredAtMs?: number
  /** Whether a good proof was seen: from then on every node demands one. */
  readonly isEnforced: boolean
}

/** The few facts about a session that are readable without its cookie (field `m`). */
export interface SessionFacts {
  readonly createdAtMs: number
  readonly endsAtMs: number
  readonly browserFamily: string
  /** Index keys of the session's user and provider session, HMACs. */
  readonly subjectIndex: string
  readonly providerSessionIndex: string | undefined
  /** Whether it is bound to a device. */
  readonly isDeviceBound: boolean
}

/** What the proxy needs of a session, and all that is ever cached: no ID token, no refresh token. */
export interface SessionView {
  /** base64url SHA-256 of the session id. */
  readonly h: string
  readonly writeId: string
  readonly createdAtMs: number
  /** Absolute end, epoch milliseconds. */
  readonly endsAtMs: number
  /** Last activity known here, epoch milliseconds. */
  readonly lastSeenAtMs: number
  readonly access: Readonly<Record<string, AccessToken>>
  readonly canRefresh: boolean
  /** Absent: bearer tokens. */
  readonly binding?: TokenBinding
  readonly device?: DeviceState
  readonly lastDemand?: string
  /** Who signed in; there only where routes read it. */
  readonly identity?: Identity
  /** Pseudonyms for logs: truncated HMACs of session and user. */
  readonly sessionRef: string
  readonly userRef: string
}

/** The limits that every session obeys (DESIGN section 3.2). */
export interface SessionLimits {
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
}

/** The limits as the settings name them, seconds. */
export interface SessionLimitSettings {
  readonly sessionIdleTimeout: number
  readonly sessionMaxLifetime: number
}

/** The limits that the settings ask for. */
export function sessionLimits(settings: SessionLimitSettings): SessionLimits {
  return {
    idleTimeoutMs: settings.sessionIdleTimeout * 1_000,
    maxLifetimeMs: settings.sessionMaxLifetime * 1_000,
  }
}

/** How often activity is written at most: one touch per twentieth of the idle timeout, at least a second apart. */
export function touchIntervalMs(limits: SessionLimits): number {
  return Math.max(1_000, Math.floor(limits.idleTimeoutMs / 20))
}

/** When the session ends for want of activity, epoch milliseconds. */
export function idleEndsAtMs(view: Pick<SessionView, 'lastSeenAtMs'>, limits: SessionLimits): number {
  return view.lastSeenAtMs + limits.idleTimeoutMs
}

/** Whether the session is over at `nowMs`, by its absolute or its idle end. */
export function isEnded(
  view: Pick<SessionView, 'lastSeenAtMs' | 'endsAtMs'>,
  limits: SessionLimits,
  nowMs: number,
): boolean {
  return nowMs >= view.endsAtMs || nowMs >= idleEndsAtMs(view, limits)
}

/** Time to live in the store: what is left of the shorter of both ends, in milliseconds; 0 when over. */
export function ttlMs(endsAtMs: number, limits: SessionLimits, nowMs: number): number {
  return Math.max(0, Math.min(limits.idleTimeoutMs, endsAtMs - nowMs))
}

/** Whether activity at `nowMs` is worth a write. */
export function isTouchDue(
  view: Pick<SessionView, 'lastSeenAtMs'>,
  limits: SessionLimits,
  nowMs: number,
): boolean {
  return nowMs - view.lastSeenAtMs >= touchIntervalMs(limits)
}
