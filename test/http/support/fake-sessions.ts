import { GatewayError } from '../../../src/errors/gateway-error.ts'
import type { BeginResult, OpenSession, Sessions } from '../../../src/session/lifecycle/sessions.ts'
import { hashSessionId, newSessionId } from '../../../src/session/record/keys.ts'
import type { SessionRecord, SessionView } from '../../../src/session/record/session.ts'

/** Start of the tests' clock, epoch milliseconds. */
export const startMs = 1_800_000_000_000

/** Sessions in a map, with switches for what may go wrong. */
export interface FakeSessions {
  readonly sessions: Sessions
  /** What was called, in order. */
  readonly calls: string[]
  readonly byHash: Map<string, OpenSession>
  readonly redeemed: Set<string>
  /** While true every call rejects with `session_store_unavailable`. */
  isDown: boolean
  /** While true a login is ended before it has begun. */
  endsMeanwhile: boolean
  /** Puts a session in as if it had been begun earlier; resolves to its id. */
  add(id?: string): string
  clock: { nowMs: number }
}

const identity = {
  issuer: 'https://issuer.example/',
  subject: 'user-1',
  providerSessionId: 'sid-1',
  loginIssuedAtSeconds: startMs / 1_000,
  authTimeSeconds: undefined,
  acr: undefined,
  claims: { sub: 'user-1', name: 'Ada' },
}

function record(nowMs: number): SessionRecord {
  return {
    createdAtMs: nowMs,
    endsAtMs: nowMs + 36_000_000,
    browserFamily: 'Firefox',
    identity,
    tokens: { idToken: 'the-id-token', refreshToken: 'the-refresh-token', access: {} },
  }
}

function view(h: string, nowMs: number): SessionView {
  return {
    h,
    writeId: 'w1',
    createdAtMs: nowMs,
    endsAtMs: nowMs + 36_000_000,
    lastSeenAtMs: nowMs,
    access: {},
    canRefresh: true,
    sessionRef: 'session-ref',
    userRef: 'user-ref',
  }
}

/** Creates the fake. */
export function createFakeSessions(): FakeSessions {
  const fake: FakeSessions = {
    calls: [],
    byHash: new Map(),
    redeemed: new Set(),
    isDown: false,
    endsMeanwhile: false,
    clock: { nowMs: startMs },
    add: (id = newSessionId()) => {
      const h = hashSessionId(id)
      fake.byHash.set(h, { id, view: view(h, fake.clock.nowMs), record: record(fake.clock.nowMs) })
      return id
    },
    sessions: undefined as never,
  }
  const call = (name: string) => {
    fake.calls.push(name)
    if (fake.isDown) throw new GatewayError('session_store_unavailable')
  }
  const end = (h: string) => fake.byHash.delete(h)
  const sessions: Sessions = {
    find: (id) => fake.byHash.get(hashSessionId(id))?.view,
    open: async (id) => {
      call('open')
      return fake.byHash.get(hashSessionId(id))
    },
    touch: () => undefined,
    touchNow: async (seen) => {
      call('touchNow')
      const found = fake.byHash.get(seen.h)
      if (found === undefined) return
      fake.byHash.set(seen.h, { ...found, view: { ...found.view, lastSeenAtMs: fake.clock.nowMs } })
    },
    redeemState: async (state) => {
      call('redeemState')
      if (fake.redeemed.has(state)) return undefined
      fake.redeemed.add(state)
      return fake.clock.nowMs
    },
    begin: async ({ id }): Promise<BeginResult> => {
      call('begin')
      if (fake.endsMeanwhile) return { kind: 'ended_meanwhile' }
      fake.add(id)
      return { kind: 'begun', session: fake.byHash.get(hashSessionId(id)) as OpenSession }
    },
    end: async (h) => {
      call('end')
      return end(h)
    },
    endOpened: async (session) => {
      call('endOpened')
      return { existed: end(session.view.h), refreshToken: session.record.tokens.refreshToken }
    },
    endByLogoutToken: async () => {
      call('endByLogoutToken')
      return { ended: 1, replayed: false }
    },
    isNamed: async () => true,
    endByProviderSession: async (_issuer, sid) => {
      call(`endByProviderSession ${sid}`)
      return sid === 'sid-1' ? 1 : 0
    },
    list: async (session) => {
      call('list')
      const sessions = [...fake.byHash.values()].map((one) => ({
        id: hashSessionId(`listed ${one.view.h}`),
        browserFamily: one.record.browserFamily,
        createdAtMs: one.view.createdAtMs,
        lastSeenAtMs: one.view.lastSeenAtMs,
        isDeviceBound: false,
        current: one.view.h === session.view.h,
      }))
      return { sessions, next: undefined }
    },
    endListed: async (session, listedId) => {
      call('endListed')
      const h = [...fake.byHash.keys()].find((key) => hashSessionId(`listed ${key}`) === listedId)
      if (h === session.view.h) return 'own'
      return h !== undefined && end(h) ? 'ended' : 'unknown'
    },
    endOthersOf: async (session) => {
      call('endOthersOf')
      const others = [...fake.byHash.keys()].filter((h) => h !== session.view.h)
      return { ended: others.filter(end).length, failed: 0 }
    },
    drained: async () => undefined,
    exist: async (hs) => hs.map((h) => fake.byHash.has(h)),
    deviceLivesMs: async (hs) => hs.map(() => 0),
    subscribe: () => () => undefined,
    isLive: () => true,
    userRef: () => 'user-ref',
  }
  return Object.assign(fake, { sessions })
}
