import { createRecentMap } from '../../basics/recent-map.ts'
import { isLoopback } from '../../config/settings/kinds/address.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { hashSessionId } from '../../session/record/keys.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import { createTrustedNetworks, findClient, type UnknownReason } from './client-address.ts'
import { type LimitedRequest, originOf } from './limited-request.ts'
import { createTokenBuckets, type TokenBuckets } from './token-buckets.ts'

/** What an address may do without a session: a company behind one address signs in with it at nine o'clock, a script soon meets its end. */
const addressRules = {
  burst: 1_000,
  perSecond: 20,
  /** About 150 bytes each. */
  mostKeys: 50_000,
}

/** A pushed login makes a request to the provider, for which nobody has proved anything: 30 a minute. */
const pushRules = { burst: 30, perSecond: 0.5, mostKeys: 50_000 }

/** Sessions that this process has seen alive are told from invented ones while an address is limited; about 150 bytes each. */
const mostLiveSessions = 50_000

/** A line about limited requests at most this often, milliseconds. */
const reportEveryMs = 60_000

/** Limits by address. They count only what has no session: nobody who is signed in pays for a neighbour behind the same address. */
export interface AddressLimits {
  /** Takes a token for the beginning of a login. @throws GatewayError `rate_limited` */
  admitLogin(request: LimitedRequest): void
  /** Takes a token for a login that is pushed to the provider. @throws GatewayError `rate_limited` */
  admitPush(request: LimitedRequest): void
  /**
   * Before the store is asked for a session: refuses while the address has used up its misses, unless this process knows the session.
   * Next to free while no address has. @throws GatewayError `rate_limited`
   */
  admitLookup(request: LimitedRequest, untrustedSessionId: string): void
  /** A session was found. */
  noteLive(h: string): void
  /** Counts a request that has no session. Returns the error to answer with when they are too many. */
  countMiss(request: LimitedRequest): GatewayError | undefined
  /** Before the store is asked about something that only its holder should know: refuses while too much of that was unknown. @throws GatewayError `rate_limited` */
  admitStray(request: LimitedRequest): void
  /**
   * Counts what leads nowhere: callbacks that nobody began here, unknown session ids of the provider, invalid logout tokens. Apart from
   * misses, because pages of other sites can make browsers send these. Returns the error to answer with when they are too many.
   */
  countStray(request: LimitedRequest): GatewayError | undefined
}

/** What limits by address need. */
export interface AddressLimitsDependencies {
  /** `TRUST_PROXY`. */
  readonly trustProxy: readonly string[]
  /** `BASE_URL`. */
  readonly baseUrl: URL
  readonly log: Logger
  readonly now: () => number
}

/** Makes limits by address, of this process alone. */
export function createAddressLimits({
  trustProxy,
  baseUrl,
  log,
  now,
}: AddressLimitsDependencies): AddressLimits {
  const trusted = createTrustedNetworks(trustProxy)
  // Apart from each other: tabs that were left open overnight keep asking in vain, and must not keep their owners from signing in.
  const logins = createTokenBuckets(addressRules, now)
  const pushes = createTokenBuckets(pushRules, now)
  const misses = createTokenBuckets(addressRules, now)
  const strays = createTokenBuckets(addressRules, now)
  const live = createRecentMap<true>(mostLiveSessions)
  // Whoever develops on this machine is the one browser there is.
  const warnOf = createWarnings(log, isLoopback(baseUrl) ? ['private'] : [])
  const report = createReport(log, now)

  const keyOf = (request: LimitedRequest): string | undefined => {
    const client = findClient(originOf(request), trusted)
    if ('key' in client) return client.key
    warnOf(client.unknown)
    return undefined
  }
  const refuse = (key: string, waitMs: number): GatewayError => {
    report(key)
    return rateLimited(waitMs)
  }
  const take = (buckets: TokenBuckets, request: LimitedRequest): GatewayError | undefined => {
    const key = keyOf(request)
    if (key === undefined) return undefined
    const waitMs = buckets.take(key)
    return waitMs > 0 ? refuse(key, waitMs) : undefined
  }
  const admit = (buckets: TokenBuckets, request: LimitedRequest): void => {
    const refusal = take(buckets, request)
    if (refusal !== undefined) throw refusal
  }
  const expectRest = (buckets: TokenBuckets, request: LimitedRequest): void => {
    const key = keyOf(request)
    const waitMs = key === undefined ? 0 : buckets.wait(key)
    if (key !== undefined && waitMs > 0) throw refuse(key, waitMs)
  }
  return {
    admitLogin: (request) => admit(logins, request),
    admitPush: (request) => admit(pushes, request),
    admitLookup(request, untrustedSessionId) {
      if (!misses.isAnyEmpty()) return
      if (live.has(hashSessionId(untrustedSessionId))) return
      expectRest(misses, request)
    },
    noteLive: (h) => void live.set(h, true),
    countMiss: (request) => take(misses, request),
    admitStray(request) {
      if (strays.isAnyEmpty()) expectRest(strays, request)
    },
    countStray: (request) => take(strays, request),
  }
}

/** Too much of something: worth another try once there is a token again. */
export function rateLimited(waitMs: number): GatewayError {
  return new GatewayError('rate_limited', { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) })
}

const unlimited = 'requests are not limited by address'

const warnings: Readonly<Record<UnknownReason, string>> = {
  private: `${unlimited}: they come from a private address; if that is a proxy, name it in TRUST_PROXY`,
  forwards: `${unlimited}: they come with X-Forwarded-For from an address that TRUST_PROXY does not name`,
  silent: `${unlimited}: a proxy of TRUST_PROXY sends no X-Forwarded-For`,
  malformed: `${unlimited}: X-Forwarded-For names no address`,
}

/** One line for each reason, whatever follows. */
function createWarnings(log: Logger, unsaid: readonly UnknownReason[]): (reason: UnknownReason) => void {
  const said = new Set(unsaid)
  return (reason) => {
    if (said.has(reason)) return
    said.add(reason)
    log.warn({ reason }, warnings[reason])
  }
}

/** Tells the operator of limited addresses, the latest by name, without a line for each request of a flood. */
function createReport(log: Logger, now: () => number): (address: string) => void {
  let refused = 0
  let quietUntilMs = 0
  return (address) => {
    refused += 1
    if (now() < quietUntilMs) return
    log.warn({ address, refused }, 'requests were answered 429: too many from one address')
    refused = 0
    quietUntilMs = now() + reportEveryMs
  }
}
