import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSealer, type Sealer } from '../../../src/sealing/sealer.ts'
import type { OpenSession } from '../../../src/session/lifecycle/sessions.ts'
import { newSessionId } from '../../../src/session/record/keys.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { eventually } from '../../support/eventually.ts'
import { type ControlledStore, controlStore, unavailable } from '../support/controlled-store.ts'
import {
  api,
  type Clock,
  createClock,
  createNode,
  createScriptedRefreshes,
  firstPage,
  indexedOf,
  issuer,
  type LoginFacts,
  type Node,
  type ScriptedRefreshes,
  secret,
  signIn,
  viewOf,
} from '../support/sessions-world.ts'

const newSecret = 'second-secret-0123456789abcdefghijklmno'

let clock: Clock
let store: ControlledStore
let refreshes: ScriptedRefreshes
let node: Node

beforeEach(() => {
  clock = createClock()
  store = controlStore(createMemoryStore({ sessionMaxLifetime: 36_000 }, clock))
  refreshes = createScriptedRefreshes(clock.now)
  node = createNode({ store, now: clock.now, provider: refreshes.provider, sessionCache: false })
})

afterEach(() => store.close())

const enter = (facts: LoginFacts = {}): Promise<OpenSession> => signIn(node, clock.now, facts)

async function enterMany(count: number): Promise<readonly OpenSession[]> {
  const sessions: OpenSession[] = []
  for (let at = 0; at < count; at += 1) {
    sessions.push(await enter({ providerSessionId: newSessionId() }))
    clock.advance(1_000)
  }
  return sessions
}

const logOutUser = (): Promise<{ readonly ended: number }> =>
  node.sessions.endByLogoutToken({
    issuer,
    subject: 'ada',
    providerSessionId: undefined,
    issuedAtSeconds: Math.floor(clock.now() / 1_000),
    jti: newSessionId(),
  })

describe('many sessions of one user', () => {
  it('end by one logout in bounded pieces, their index members included', async () => {
    const sessions = await enterMany(320)
    let most = 0
    store.before('deleteEach', (hs) => {
      most = Math.max(most, Array.isArray(hs) ? hs.length : 0)
    })
    expect(await logOutUser()).toMatchObject({ ended: 320 })
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(40)
    expect(await store.exist(sessions.map(({ view }) => view.h))).not.toContain(true)
    expect(await indexedOf(store, node, { subject: 'ada' })).toEqual([])
  })

  it('are unsealed a few at a time, so that nobody else waits for all of them', async () => {
    const sealer = createSealer([secret])
    let [inThisTurn, most, opened] = [0, 0, 0]
    const counting: Sealer = {
      ...sealer,
      open(...asked) {
        if (inThisTurn === 0) setImmediate(() => (inThisTurn = 0))
        inThisTurn += 1
        opened += 1
        most = Math.max(most, inThisTurn)
        return sealer.open(...asked)
      },
    }
    node = createNode({
      store,
      now: clock.now,
      provider: refreshes.provider,
      sealer: counting,
      sessionCache: false,
    })
    const [mine] = await enterMany(100)
    if (mine === undefined) throw new Error('no session')
    await node.sessions.list(mine, { limit: 100, untrustedAfter: undefined })
    const listed = opened
    expect(await logOutUser()).toMatchObject({ ended: 100 })
    expect([listed, opened]).toEqual([100, 200])
    // In memory nothing comes between the last of one piece and the first of the next.
    expect(most).toBeLessThanOrEqual(10)
  })

  it('that have lapsed leave the index at the next logout, and at the next look at the list', async () => {
    await enterMany(60)
    clock.advance(1_900_000)
    const session = await enter()
    expect((await node.sessions.list(session, firstPage))?.sessions).toHaveLength(1)
    await eventually(async () =>
      expect(await indexedOf(store, node, { subject: 'ada' })).toEqual([session.view.h]),
    )
    await enterMany(60)
    clock.advance(1_900_000)
    expect(await logOutUser()).toMatchObject({ ended: 0 })
    expect(await indexedOf(store, node, { subject: 'ada' })).toEqual([])
  })

  it('keep the members of one that is about to be written, whoever meets them', async () => {
    store.before('create', async () => {
      store.before('create', undefined)
      clock.advance(20_000)
      const other = await enter()
      await node.sessions.list(other, firstPage)
      await new Promise((resolve) => setTimeout(resolve, 20))
    })
    const session = await enter()
    expect(await indexedOf(store, node, { subject: 'ada' })).toContain(session.view.h)
  })

  it('are listed page by page, the newest first, each once, and the cursor is nothing at another user', async () => {
    const sessions = await enterMany(25)
    const mine = sessions[0]
    if (mine === undefined) throw new Error('no session')
    const seen: number[] = []
    let after: string | undefined
    let pages = 0
    do {
      const page = await node.sessions.list(mine, { limit: 10, untrustedAfter: after })
      seen.push(...(page?.sessions.map(({ createdAtMs }) => createdAtMs) ?? []))
      after = page?.next
      pages += 1
    } while (after !== undefined)
    expect(pages).toBe(3)
    expect(seen).toEqual(sessions.map(({ view }) => view.createdAtMs).toReversed())
    const { next } = (await node.sessions.list(mine, { limit: 10, untrustedAfter: undefined })) ?? {}
    const bobs = await enter({ subject: 'bob' })
    expect(await node.sessions.list(bobs, { limit: 10, untrustedAfter: next })).toBeUndefined()
    expect(await node.sessions.list(mine, { limit: 10, untrustedAfter: 'garbage' })).toBeUndefined()
  })

  it('of which some cannot be ended: the others are, and it says how many are left', async () => {
    const sessions = await enterMany(5)
    const stuck = sessions[2]?.view.h
    store.stuck(stuck === undefined ? [] : [stuck])
    await expect(logOutUser()).rejects.toMatchObject({
      code: 'session_store_unavailable',
      context: { ended: 4, failed: 1 },
    })
    store.stuck([])
    expect(await logOutUser()).toMatchObject({ ended: 1 })
  })
})

describe('an id from the list', () => {
  it('is that of a session that was ended although the store, asked twice, says that there was none', async () => {
    const [mine, other] = [await enter(), await enter()]
    const { sessions } = (await node.sessions.list(mine, firstPage)) ?? {}
    const id = sessions?.find(({ current }) => !current)?.id ?? ''
    store.before('deleteEach', async () => {
      await store.delete(other.view.h)
    })
    expect(await node.sessions.endListed(mine, id)).toBe('ended')
    store.before('deleteEach', undefined)
    expect(await node.sessions.endListed(mine, id)).toBe('unknown')
  })

  it('is known to a node on the other side of a rotation', async () => {
    const nodeWith = (...secrets: string[]): Node =>
      createNode({
        store,
        now: clock.now,
        provider: refreshes.provider,
        sealer: createSealer(secrets),
        sessionCache: false,
      })
    const before = nodeWith(secret, newSecret)
    const after = nodeWith(newSecret, secret)
    const mine = await signIn(before, clock.now)
    await signIn(before, clock.now)
    const listed = (await before.sessions.list(mine, firstPage))?.sessions ?? []
    const other = listed.find(({ current }) => !current)
    const own = listed.find(({ current }) => current)
    expect(await after.sessions.endListed(mine, own?.id ?? '')).toBe('own')
    expect(await after.sessions.endListed(mine, other?.id ?? '')).toBe('ended')
  })
})

describe('a logout that crosses a refresh', () => {
  it('hands over the newest refresh token, not the one that was read', async () => {
    const session = await enter({ lifeMs: 60_000 })
    clock.advance(60_000)
    await node.accessTokens.get(session.id, await viewOf(node, session.id), api)
    expect(await node.sessions.endOpened(session)).toEqual({ existed: true, refreshToken: 'refresh-1' })
  })

  it('and whose answer is lost is asked about again, and knows it all the same', async () => {
    const session = await enter({ lifeMs: 60_000 })
    clock.advance(60_000)
    await node.accessTokens.get(session.id, await viewOf(node, session.id), api)
    let lost = 1
    store.after('take', () => {
      lost -= 1
      if (lost >= 0) throw unavailable()
    })
    expect(await node.sessions.endOpened(session)).toEqual({ existed: true, refreshToken: 'refresh-1' })
  })

  it('and whose answers are all lost revokes in the background what it has deleted', async () => {
    const session = await enter()
    store.after('take', () => {
      throw unavailable()
    })
    await expect(node.sessions.endOpened(session)).rejects.toMatchObject({
      code: 'session_store_unavailable',
    })
    await eventually(() => expect(refreshes.revoked).toEqual(['refresh-0']))
    await node.sessions.drained()
  })

  it('and which never reached the store ends nothing later', async () => {
    const session = await enter()
    store.before('take', () => {
      throw unavailable()
    })
    await expect(node.sessions.endOpened(session)).rejects.toMatchObject({
      code: 'session_store_unavailable',
    })
    await node.sessions.drained()
    expect(await store.exist([session.view.h])).toEqual([true])
    expect(refreshes.revoked).toEqual([])
  })
})
