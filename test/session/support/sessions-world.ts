import type { CompletedLogin, Provider, RefreshOutcome } from '../../../src/oidc/provider/provider.ts'
import type { AccessToken, ApiAudience, Identity } from '../../../src/oidc/tokens/token-set.ts'
import { createSealer, type Sealer } from '../../../src/sealing/sealer.ts'
import { createSessions } from '../../../src/session/lifecycle/create-sessions.ts'
import type { AccessTokens, OpenSession, Sessions } from '../../../src/session/lifecycle/sessions.ts'
import { newSessionId } from '../../../src/session/record/keys.ts'
import { createSessionRecords, type SessionRecords } from '../../../src/session/record/records.ts'
import { createAccessTokens } from '../../../src/session/refresh/access-token.ts'
import type { SessionStore } from '../../../src/session/store/contract.ts'
import type { AuditFields } from '../../../src/telemetry/audit.ts'
import type { AuditEventName } from '../../../src/telemetry/audit-events.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { type Metrics, noMetrics } from '../../../src/telemetry/measures/metrics.ts'

export const issuer = 'https://tenant.example/'
export const secret = 'first-secret-0123456789abcdefghijklmnop'

/** The beginning of a user's list. */
export const firstPage = { limit: 100, untrustedAfter: undefined } as const

/** The default API. */
export const api: ApiAudience = {
  key: 'default',
  value: 'https://api.example',
  parameter: 'audience',
  accepted: ['https://api.example'],
  scope: undefined,
}
/** A second API of the same sessions. */
export const reports: ApiAudience = { ...api, key: 'reports', value: 'https://reports.example' }

/** A clock that moves only when told. */
export interface Clock {
  readonly now: () => number
  advance(ms: number): void
}

export function createClock(startMs = 1_800_000_000_000): Clock {
  let nowMs = startMs
  return {
    now: () => nowMs,
    advance(ms) {
      nowMs += ms
    },
  }
}

/** A provider whose answers are scripted; tokens are numbered in the order of the grants. */
export interface ScriptedRefreshes {
  readonly provider: Pick<Provider, 'refresh' | 'revoke'>
  /** Refresh tokens in the order in which they were presented. */
  readonly presented: string[]
  readonly revoked: string[]
  /** Grants under way at the same time, at most. */
  readonly mostAtOnce: () => number
  /** Answers all further grants; the default is {@link ScriptedRefreshes.rotate}. */
  answer: (input: Parameters<Provider['refresh']>[0]) => RefreshOutcome | Promise<RefreshOutcome>
  /** A good answer with a new refresh token, which spends the presented one. */
  rotate(input: Parameters<Provider['refresh']>[0]): RefreshOutcome
}

export function createScriptedRefreshes(now: () => number, lifeMs = 3_600_000): ScriptedRefreshes {
  let grants = 0
  let atOnce = 0
  let most = 0
  const scripted: ScriptedRefreshes = {
    presented: [],
    revoked: [],
    mostAtOnce: () => most,
    answer: (input) => scripted.rotate(input),
    rotate({ identity, audience }) {
      grants += 1
      return {
        kind: 'refreshed',
        accessToken: accessToken(`${audience.key}-${grants}`, now(), lifeMs),
        refreshToken: `refresh-${grants}`,
        idToken: undefined,
        identity,
        sessionExpirySeconds: undefined,
      }
    },
    provider: {
      async refresh(input) {
        scripted.presented.push(input.refreshToken)
        atOnce += 1
        most = Math.max(most, atOnce)
        try {
          return await scripted.answer(input)
        } finally {
          atOnce -= 1
        }
      },
      async revoke(refreshToken) {
        scripted.revoked.push(refreshToken)
        return true
      },
    },
  }
  return scripted
}

export function accessToken(value: string, obtainedAtMs: number, lifeMs = 3_600_000): AccessToken {
  return { value, obtainedAtMs, expiresAtMs: obtainedAtMs + lifeMs }
}

/** One gateway's session half: several of them on one store are several nodes. */
export interface Node {
  readonly sessions: Sessions
  readonly accessTokens: AccessTokens
  readonly records: SessionRecords
  readonly audit: [AuditEventName, AuditFields][]
  readonly cacheResults: string[]
}

export interface NodeOptions {
  readonly store: SessionStore
  readonly now: () => number
  readonly provider: Pick<Provider, 'refresh' | 'revoke'>
  readonly sealer?: Sealer
  readonly sessionIdleTimeout?: number
  readonly sessionMaxLifetime?: number
  readonly sessionCache?: boolean
  readonly providerTimeout?: number
}

export function createNode(options: NodeOptions): Node {
  const audit: Node['audit'] = []
  const cacheResults: string[] = []
  const metrics: Metrics = { ...noMetrics, sessionCache: (result) => void cacheResults.push(result) }
  const log = silentLogger()
  const telemetry = {
    log,
    metrics,
    audit: { event: (...event: Node['audit'][number]) => void audit.push(event) },
  }
  const sealer = options.sealer ?? createSealer([secret])
  const dependencies = { ...options, sealer, telemetry }
  const records = createSessionRecords(
    {
      issuerUrl: issuer,
      clientId: 'client',
      sessionIdleTimeout: options.sessionIdleTimeout ?? 1_800,
      sessionMaxLifetime: options.sessionMaxLifetime ?? 36_000,
      sessionCache: options.sessionCache ?? true,
      sessionCacheSize: 1_000,
    },
    dependencies,
  )
  const sessions = createSessions({ ...dependencies, records })
  const accessTokens = createAccessTokens(
    { providerTimeout: options.providerTimeout ?? 5, audience: api },
    { ...dependencies, records },
  )
  return { sessions, accessTokens, records, audit, cacheResults }
}

export interface LoginFacts {
  readonly subject?: string
  readonly providerSessionId?: string | undefined
  readonly refreshToken?: string | undefined
  readonly lifeMs?: number
  readonly issuedAtSeconds?: number
  readonly sessionExpirySeconds?: number
}

/** What a login at the provider brings at `nowMs`. */
export function completedLogin(nowMs: number, facts: LoginFacts = {}): CompletedLogin {
  const identity: Identity = {
    issuer,
    subject: facts.subject ?? 'ada',
    providerSessionId: 'providerSessionId' in facts ? facts.providerSessionId : 'sid-1',
    loginIssuedAtSeconds: facts.issuedAtSeconds ?? Math.floor(nowMs / 1_000),
    authTimeSeconds: undefined,
    acr: undefined,
    claims: { sub: facts.subject ?? 'ada' },
  }
  return {
    identity,
    idToken: 'id-token',
    refreshToken: 'refreshToken' in facts ? facts.refreshToken : 'refresh-0',
    accessToken: accessToken('default-0', nowMs, facts.lifeMs),
    sessionExpirySeconds: facts.sessionExpirySeconds,
  }
}

/** Signs in at a node; fails when the session was ended meanwhile. */
export async function signIn(node: Node, now: () => number, facts: LoginFacts = {}): Promise<OpenSession> {
  const redeemedAtMs = (await node.sessions.redeemState(newSessionId())) ?? 0
  const login = completedLogin(now(), facts)
  const id = newSessionId()
  const begun = await node.sessions.begin({
    id,
    login,
    audienceKey: api.key,
    browserFamily: 'Firefox',
    redeemedAtMs,
  })
  if (begun.kind !== 'begun') throw new Error('the session ended meanwhile')
  return begun.session
}

/** The session's view as the proxy sees it now; fails when there is none. */
export async function viewOf(
  node: Node,
  id: string,
): Promise<NonNullable<Awaited<ReturnType<Sessions['find']>>>> {
  const view = await node.sessions.find(id)
  if (view === undefined) throw new Error('no session')
  return view
}

/** Hashes of the sessions that an index of this user, or of this session at the provider, names. */
export async function indexedOf(
  store: Pick<SessionStore, 'readIndex'>,
  node: Node,
  { subject, sid }: { readonly subject?: string; readonly sid?: string },
): Promise<readonly string[]> {
  const { keys } = node.records.indexes
  const key =
    sid === undefined ? keys.ofSubject(issuer, subject ?? 'ada') : keys.ofProviderSession(issuer, sid)
  const found = await Promise.all(key.all.map((each) => store.readIndex(each, { offset: 0, count: 100_000 })))
  return found.flat().map(({ h }) => h)
}
