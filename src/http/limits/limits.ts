import type { Identity } from '../../oidc/tokens/token-set.ts'
import type { Sessions } from '../../session/lifecycle/sessions.ts'
import type { SessionStore } from '../../session/store/contract.ts'
import {
  type AddressLimits,
  type AddressLimitsDependencies,
  createAddressLimits,
  rateLimited,
} from './address-limits.ts'
import type { LimitedRequest } from './limited-request.ts'
import { createTokenBuckets } from './token-buckets.ts'

/** Requests of one session to the session endpoints, in one process: each costs a read of the store and an opened record. */
const sessionRules = { burst: 1_000, perSecond: 20, mostKeys: 50_000 }

/** Attempts to complete one login: beyond the first each is a duplicate, but costs a write to find that out. */
const transactionRules = { burst: 100, perSecond: 1, mostKeys: 50_000 }

/** Answers that are decrypted for one login at its own expense: one comes, and perhaps once more. */
const openingRules = { burst: 3, perSecond: 0.05, mostKeys: 50_000 }

/** How often something may happen within a fixed window, counted by the store for all processes together. */
interface CountedRule {
  readonly most: number
  readonly windowMs: number
}

/** Each writes to the store, and asks the provider when the tokens are due. */
const refreshRule: CountedRule = { most: 600, windowMs: 60_000 }
/** Each reads all of a user's sessions. */
const listRule: CountedRule = { most: 300, windowMs: 60_000 }
/** Each leaves a session of about 4 KB, which lives until it is idle. Shared accounts of schools and tests stay below it. */
const loginRule: CountedRule = { most: 1_000, windowMs: 600_000 }
/** When a window began is not known, so nobody is asked to wait longer than this, milliseconds. */
const longestWaitMs = 60_000

type User = Pick<Identity, 'issuer' | 'subject'>

/**
 * What keeps one address, session or user from using up what all share. The hot path has none: a signed-in request that is proxied costs
 * no command of the store here. No limit ever ends a session, and logging out is never limited by session or user.
 */
export interface Limits extends AddressLimits {
  /** A session's request to a session endpoint, before the store is asked. @throws GatewayError `rate_limited` */
  admitSession(h: string): void
  /** An attempt to complete this login. @throws GatewayError `rate_limited` */
  admitTransaction(state: string): void
  /** An answer that has to be decrypted to a login under way; beyond a few only while the address has strays left. @throws GatewayError `rate_limited` */
  admitOpening(request: LimitedRequest, state: string): void
  /** An explicit refresh. @throws GatewayError `rate_limited`, `session_store_unavailable` */
  admitRefresh(h: string): Promise<void>
  /** A look at all sessions of a user. @throws GatewayError `rate_limited`, `session_store_unavailable` */
  admitListing(user: User): Promise<void>
  /** Another session for a user. @throws GatewayError `rate_limited`, `session_store_unavailable` */
  admitSignIn(user: User): Promise<void>
}

/** What limits need. */
export interface LimitsDependencies extends AddressLimitsDependencies {
  readonly store: Pick<SessionStore, 'count'>
  readonly sessions: Pick<Sessions, 'userRef'>
}

/** Makes the limits of a process. */
export function createLimits(dependencies: LimitsDependencies): Limits {
  const { store, sessions, now } = dependencies
  const bySession = createTokenBuckets(sessionRules, now)
  const byTransaction = createTokenBuckets(transactionRules, now)
  const openings = createTokenBuckets(openingRules, now)
  const byAddress = createAddressLimits(dependencies)
  const count = async (key: string, { most, windowMs }: CountedRule): Promise<void> => {
    if ((await store.count(key, windowMs)) > most) throw rateLimited(Math.min(windowMs, longestWaitMs))
  }
  return {
    ...byAddress,
    admitSession: (h) => expectToken(bySession.take(h)),
    admitTransaction: (state) => expectToken(byTransaction.take(state)),
    admitOpening(request, state) {
      if (openings.take(state) > 0) byAddress.admitStray(request)
    },
    admitRefresh: (h) => count(`refresh:${h}`, refreshRule),
    admitListing: (user) => count(`list:${sessions.userRef(user)}`, listRule),
    admitSignIn: (user) => count(`login:${sessions.userRef(user)}`, loginRule),
  }
}

function expectToken(waitMs: number): void {
  if (waitMs > 0) throw rateLimited(waitMs)
}

const nothing = (): undefined => undefined
const soon = async (): Promise<void> => undefined

/** Limits that limit nothing: `RATE_LIMIT=off`. */
export const noLimits: Limits = {
  admitLogin: nothing,
  admitPush: nothing,
  admitLookup: nothing,
  noteLive: nothing,
  countMiss: nothing,
  admitStray: nothing,
  countStray: nothing,
  admitSession: nothing,
  admitTransaction: nothing,
  admitOpening: nothing,
  admitRefresh: soon,
  admitListing: soon,
  admitSignIn: soon,
}
