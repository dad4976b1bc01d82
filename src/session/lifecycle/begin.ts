import { GatewayError } from '../../errors/gateway-error.ts'
import type { CompletedLogin, Provider } from '../../oidc/provider/provider.ts'
import { type Identity, usableUntilMs } from '../../oidc/tokens/token-set.ts'
import { hashSessionId, hashState } from '../record/keys.ts'
import type { SessionRecords } from '../record/records.ts'
import type { SessionRecord } from '../record/session.ts'
import type { SessionStore } from '../store/contract.ts'
import type { BeginResult, OpenSession, Sessions } from './sessions.ts'

/** A transaction cookie lives as long: afterwards there is nothing left to redeem twice. */
const stateLifeMs = 600_000

/** What beginning a session needs. */
export interface BeginDependencies {
  readonly records: SessionRecords
  readonly store: Pick<SessionStore, 'redeemState' | 'readTombstones'>
  readonly provider: Pick<Provider, 'revoke'>
  readonly now: () => number
}

type BeginInput = Parameters<Sessions['begin']>[0]

/** The callback's half of sessions. */
export function createBegin(dependencies: BeginDependencies): Pick<Sessions, 'redeemState' | 'begin'> {
  const { records, store, provider, now } = dependencies
  const revoke = async ({ refreshToken }: CompletedLogin): Promise<void> => {
    if (refreshToken !== undefined) await provider.revoke(refreshToken, 'unused')
  }
  return {
    async redeemState(state) {
      const { redeemed, timeMs } = await store.redeemState(hashState(state), stateLifeMs)
      return redeemed ? timeMs : undefined
    },
    async begin(input) {
      const h = hashSessionId(input.id)
      const record = toRecord(input, records.limits.maxLifetimeMs, now())
      const written = await write(dependencies, h, input, record).catch((error: unknown) => {
        // Written or not, nobody will ever hold its cookie; the store may not answer this either.
        void Promise.allSettled([records.delete(h), revoke(input.login)])
        throw error
      })
      if (written === 'id_in_use') {
        void revoke(input.login)
        throw new GatewayError('internal_error', { context: { reason: written } })
      }
      if (written !== 'ended') return { kind: 'begun', session: written } satisfies BeginResult
      // Whatever becomes of the one, the other is done.
      const [deleted] = await Promise.allSettled([records.delete(h), revoke(input.login)])
      if (deleted.status === 'rejected') throw deleted.reason
      return { kind: 'ended_meanwhile' } satisfies BeginResult
    },
  }
}

/** Index members → create → tombstones and index members again: whichever way a logout runs beside it, one of both sees the other. */
async function write(
  dependencies: BeginDependencies,
  h: string,
  { id, login: { identity }, redeemedAtMs }: BeginInput,
  record: SessionRecord,
): Promise<OpenSession | 'ended' | 'id_in_use'> {
  const { records, now } = dependencies
  if (now() >= record.endsAtMs) return 'ended'
  await records.indexes.add(h, record)
  const session = await records.create(id, record)
  if (session === undefined) return 'id_in_use'
  // Once more: whoever met the members of a session that did not exist yet may have taken them for those of a dead one.
  const [isOver] = await Promise.all([
    wasLoggedOut(dependencies, identity, redeemedAtMs),
    records.indexes.add(h, record),
  ])
  return isOver ? 'ended' : session
}

async function wasLoggedOut(
  { store, records }: BeginDependencies,
  { issuer, subject, providerSessionId: sid }: Identity,
  redeemedAtMs: number,
): Promise<boolean> {
  const { keys } = records.indexes
  const ofSession = sid === undefined ? [] : keys.providerSessionTombstone(issuer, sid).all
  const ofUser = keys.subjectTombstone(issuer, subject).all
  const [sessionEnds, userEnds] = await Promise.all([
    store.readTombstones(ofSession),
    store.readTombstones(ofUser),
  ])
  const isSessionOver = sessionEnds.some((writtenAtMs) => writtenAtMs !== undefined)
  // In the same millisecond nobody can tell which came first; then the logout counts.
  return (
    isSessionOver || userEnds.some((writtenAtMs) => writtenAtMs !== undefined && writtenAtMs >= redeemedAtMs)
  )
}

function toRecord(
  { login, audienceKey, browserFamily }: BeginInput,
  maxLifetimeMs: number,
  nowMs: number,
): SessionRecord {
  const { identity, idToken, refreshToken, accessToken, binding, lastDemand } = login
  const bound = binding === undefined ? {} : { binding }
  return {
    createdAtMs: nowMs,
    endsAtMs: endOf(login, nowMs + maxLifetimeMs),
    browserFamily,
    identity,
    tokens: { idToken, refreshToken, access: { [audienceKey]: accessToken }, ...bound },
    ...(lastDemand === undefined ? {} : { lastDemand }),
  }
}

/** Lifetime, `session_expiry`, and without a refresh token the moment from which no call could succeed. */
function endOf(
  { refreshToken, accessToken, sessionExpirySeconds }: CompletedLogin,
  lifetimeEndsAtMs: number,
): number {
  const expiryMs = sessionExpirySeconds === undefined ? lifetimeEndsAtMs : sessionExpirySeconds * 1_000
  const tokenEndsAtMs = refreshToken === undefined ? usableUntilMs(accessToken) : lifetimeEndsAtMs
  return Math.floor(Math.min(lifetimeEndsAtMs, expiryMs, tokenEndsAtMs))
}
