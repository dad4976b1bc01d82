import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hashSessionId, newSessionId } from '../../../src/session/record/keys.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { type ControlledStore, controlStore, unavailable } from '../support/controlled-store.ts'
import {
  api,
  type Clock,
  completedLogin,
  createClock,
  createNode,
  createScriptedRefreshes,
  issuer,
  type LoginFacts,
  type Node,
  type ScriptedRefreshes,
  signIn,
} from '../support/sessions-world.ts'

let clock: Clock
let store: ControlledStore
let refreshes: ScriptedRefreshes
let node: Node

beforeEach(() => {
  clock = createClock()
  store = controlStore(createMemoryStore({ sessionMaxLifetime: 36_000 }, clock))
  refreshes = createScriptedRefreshes(clock.now)
  node = createNode({ store, now: clock.now, provider: refreshes.provider })
})

afterEach(() => store.close())

const id = newSessionId()
const h = hashSessionId(id)

function begin(redeemedAtMs: number, facts: LoginFacts = {}): ReturnType<Node['sessions']['begin']> {
  const login = completedLogin(clock.now(), facts)
  return node.sessions.begin({ id, login, audienceKey: api.key, browserFamily: 'Firefox', redeemedAtMs })
}

function logoutToken(facts: { readonly sid?: string; readonly sub?: string }) {
  return {
    issuer,
    subject: facts.sub,
    providerSessionId: facts.sid,
    issuedAtSeconds: Math.floor(clock.now() / 1_000),
    jti: newSessionId(),
  }
}

async function expectNoSession(): Promise<void> {
  expect(await store.exist([h])).toEqual([false])
  expect(await node.sessions.find(id)).toBeUndefined()
}

describe('beginning a session', () => {
  it('adds index members, creates, reads tombstones and adds the members again, in this order', async () => {
    await begin(clock.now())
    const order = [
      'addToIndex',
      'addToIndex',
      'create',
      'readTombstones',
      'readTombstones',
      'addToIndex',
      'addToIndex',
    ]
    expect(store.calls).toEqual(order)
  })

  it('redeems a state once, anywhere', async () => {
    const other = createNode({ store, now: clock.now, provider: refreshes.provider })
    expect(await node.sessions.redeemState('state')).toBe(clock.now())
    expect(await other.sessions.redeemState('state')).toBeUndefined()
    expect(await other.sessions.redeemState('another')).toBe(clock.now())
  })

  it('never takes over an id that is in use', async () => {
    await begin(clock.now())
    await expect(begin(clock.now(), { subject: 'mallory' })).rejects.toMatchObject({ code: 'internal_error' })
    expect((await node.sessions.open(id))?.record.identity.subject).toBe('ada')
  })

  it('ends at once when its provider session was logged out during the callback', async () => {
    await node.sessions.endByLogoutToken(logoutToken({ sid: 'sid-1', sub: 'ada' }))
    clock.advance(1_000)
    expect(await begin(clock.now())).toEqual({ kind: 'ended_meanwhile' })
    await expectNoSession()
    expect(refreshes.revoked).toEqual(['refresh-0'])
  })

  it('ends at once when a logout of the user came after the redemption', async () => {
    const redeemedAtMs = clock.now()
    clock.advance(1)
    await node.sessions.endByLogoutToken(logoutToken({ sub: 'ada' }))
    expect(await begin(redeemedAtMs)).toEqual({ kind: 'ended_meanwhile' })
    await expectNoSession()
  })

  it('ends at once when a logout of the user came in the same millisecond: nobody can tell which was first', async () => {
    await node.sessions.endByLogoutToken(logoutToken({ sub: 'ada' }))
    expect(await begin(clock.now())).toEqual({ kind: 'ended_meanwhile' })
    await expectNoSession()
  })

  it('lives when the logout of the user came before the redemption', async () => {
    await node.sessions.endByLogoutToken(logoutToken({ sub: 'ada' }))
    clock.advance(1)
    expect(await begin(clock.now())).toMatchObject({ kind: 'begun' })
  })

  it('lives when a logout concerned another provider session, though it named the same user', async () => {
    const redeemedAtMs = clock.now()
    clock.advance(1)
    await node.sessions.endByLogoutToken(logoutToken({ sid: 'sid-2', sub: 'ada' }))
    expect(await begin(redeemedAtMs)).toMatchObject({ kind: 'begun' })
  })

  it.each(['create', 'readTombstones', 'addToIndex'] as const)(
    'leaves nothing behind, at the provider neither, when %s is not answered',
    async (method) => {
      store.after(method, () => Promise.reject(unavailable()))
      await expect(begin(clock.now())).rejects.toMatchObject({ code: 'session_store_unavailable' })
      await new Promise(setImmediate)
      await expectNoSession()
      expect(refreshes.revoked).toEqual(['refresh-0'])
    },
  )

  it('makes none that would be over already', async () => {
    const sessionExpirySeconds = Math.floor(clock.now() / 1_000)
    expect(await begin(clock.now(), { sessionExpirySeconds })).toEqual({ kind: 'ended_meanwhile' })
    expect(store.calls).not.toContain('create')
  })
})

describe('the end of a session', () => {
  const endOf = async (facts: LoginFacts): Promise<number> => {
    const { view } = await signIn(node, clock.now, facts)
    return view.endsAtMs - clock.now()
  }

  it('is the configured lifetime', async () => {
    expect(await endOf({})).toBe(36_000_000)
  })

  it('is what the provider says, if that is earlier', async () => {
    const inTenMinutes = Math.floor(clock.now() / 1_000) + 600
    expect(await endOf({ sessionExpirySeconds: inTenMinutes })).toBe(600_000)
    expect(await endOf({ sessionExpirySeconds: inTenMinutes + 1e6 })).toBe(36_000_000)
  })

  it('is the end of the access token when there is no refresh token', async () => {
    expect(await endOf({ refreshToken: undefined, lifeMs: 900_000 })).toBe(890_000)
    expect(await endOf({ refreshToken: undefined, lifeMs: 12_000 })).toBe(2_000)
    expect(await endOf({ lifeMs: 900_000 })).toBe(36_000_000)
  })

  it('is half a short life of the access token when there is no refresh token', async () => {
    expect(await endOf({ refreshToken: undefined, lifeMs: 8_000 })).toBe(4_000)
    expect(await endOf({ refreshToken: undefined, lifeMs: 1_000 })).toBe(500)
  })

  it('comes exactly then, however active the session is', async () => {
    const { id: active } = await signIn(node, clock.now)
    for (let elapsedMs = 0; elapsedMs < 36_000_000 - 1_000_000; elapsedMs += 1_000_000) {
      clock.advance(1_000_000)
      const view = await node.sessions.find(active)
      if (view !== undefined) await node.sessions.touchNow(view)
    }
    clock.advance(999_999)
    expect(await node.sessions.find(active)).toBeDefined()
    clock.advance(1)
    expect(await node.sessions.find(active)).toBeUndefined()
    expect(await node.sessions.open(active)).toBeUndefined()
    expect(await store.exist([hashSessionId(active)])).toEqual([false])
  })

  it('comes after the idle timeout, cached or not, and looking at the session does not put it off', async () => {
    const { id: idle } = await signIn(node, clock.now)
    for (let elapsedMs = 0; elapsedMs < 1_700_000; elapsedMs += 100_000) {
      clock.advance(100_000)
      expect(await node.sessions.open(idle)).toBeDefined()
    }
    clock.advance(99_999)
    expect(await node.sessions.find(idle)).toBeDefined()
    clock.advance(1)
    expect(await node.sessions.find(idle)).toBeUndefined()
  })
})
