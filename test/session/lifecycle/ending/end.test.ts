import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OpenSession } from '../../../../src/session/lifecycle/sessions.ts'
import { newSessionId } from '../../../../src/session/record/keys.ts'
import { createMemoryStore } from '../../../../src/session/store/memory/store.ts'
import { eventually } from '../../../support/eventually.ts'
import { type ControlledStore, controlStore, unavailable } from '../../support/controlled-store.ts'
import {
  type Clock,
  createClock,
  createNode,
  createScriptedRefreshes,
  firstPage,
  indexedOf,
  issuer,
  type LoginFacts,
  type Node,
  signIn,
} from '../../support/sessions-world.ts'

let clock: Clock
let store: ControlledStore
let node: Node

beforeEach(() => {
  clock = createClock()
  store = controlStore(createMemoryStore({ sessionMaxLifetime: 36_000 }, clock))
  node = createNode({ store, now: clock.now, provider: createScriptedRefreshes(clock.now).provider })
})

afterEach(() => store.close())

const enter = (facts: LoginFacts = {}): Promise<OpenSession> => signIn(node, clock.now, facts)
const isAlive = async ({ id }: OpenSession): Promise<boolean> => (await node.sessions.open(id)) !== undefined
const nowSeconds = (): number => Math.floor(clock.now() / 1_000)

function token(facts: {
  readonly sid?: string
  readonly sub?: string
  readonly iat?: number
  readonly jti?: string
}) {
  return {
    issuer,
    subject: facts.sub,
    providerSessionId: facts.sid,
    issuedAtSeconds: facts.iat ?? nowSeconds(),
    jti: facts.jti ?? newSessionId(),
  }
}

describe('ending a session', () => {
  it('deletes first, and takes its index members along afterwards', async () => {
    const session = await enter()
    store.calls.length = 0
    expect(await node.sessions.endOpened(session)).toEqual({ existed: true, refreshToken: 'refresh-0' })
    expect(store.calls[0]).toBe('take')
    await eventually(async () => {
      expect(await indexedOf(store, node, { subject: 'ada' })).toEqual([])
      expect(await indexedOf(store, node, { sid: 'sid-1' })).toEqual([])
    })
    expect(await node.sessions.endOpened(session)).toEqual({ existed: false, refreshToken: 'refresh-0' })
  })

  it('by its hash alone takes its index members along too', async () => {
    const { view } = await enter()
    expect(await node.sessions.end(view.h)).toBe(true)
    await eventually(async () => expect(await indexedOf(store, node, { subject: 'ada' })).toEqual([]))
    expect(await node.sessions.end(view.h)).toBe(false)
  })

  it('succeeds although its index members stay behind', async () => {
    const session = await enter()
    store.before('removeFromIndexes', () => Promise.reject(unavailable()))
    expect(await node.sessions.end(session.view.h)).toBe(true)
    expect(await isAlive(session)).toBe(false)
  })

  it('that was not confirmed is not reported as done', async () => {
    const session = await enter()
    store.before('deleteEach', () => Promise.reject(unavailable()))
    const failure = { code: 'session_store_unavailable' }
    await expect(node.sessions.end(session.view.h)).rejects.toMatchObject(failure)
    store.before('take', () => {
      throw unavailable()
    })
    await expect(node.sessions.endOpened(session)).rejects.toMatchObject(failure)
    await expect(node.sessions.endByLogoutToken(token({ sid: 'sid-1' }))).rejects.toMatchObject(failure)
  })

  it('is known on every node at once', async () => {
    const other = createNode({ store, now: clock.now, provider: createScriptedRefreshes(clock.now).provider })
    const session = await enter()
    expect(await other.sessions.find(session.id)).toBeDefined()
    await node.sessions.endOpened(session)
    expect(await other.sessions.find(session.id)).toBeUndefined()
  })
})

describe('a logout token', () => {
  it('with sid and sub ends the sessions of that sid, not the user’s others', async () => {
    const [one, two] = [await enter(), await enter({ providerSessionId: 'sid-2' })]
    const result = await node.sessions.endByLogoutToken(token({ sid: 'sid-1', sub: 'ada' }))
    expect(result).toEqual({ ended: 1, replayed: false })
    expect([await isAlive(one), await isAlive(two)]).toEqual([false, true])
  })

  it('with sub alone ends all sessions of that user and nobody else’s', async () => {
    const mine = [await enter(), await enter({ providerSessionId: undefined })]
    const bobs = await enter({ subject: 'bob', providerSessionId: 'sid-3' })
    expect(await node.sessions.endByLogoutToken(token({ sub: 'ada' }))).toMatchObject({ ended: 2 })
    expect(await Promise.all([...mine, bobs].map(isAlive))).toEqual([false, false, true])
  })

  it('never ends a session that is newer than itself', async () => {
    const session = await enter({ issuedAtSeconds: nowSeconds() + 1 })
    expect(await node.sessions.endByLogoutToken(token({ sub: 'ada' }))).toMatchObject({ ended: 0 })
    expect(await isAlive(session)).toBe(true)
    expect(await node.sessions.endByLogoutToken(token({ sub: 'ada', iat: nowSeconds() + 1 }))).toMatchObject({
      ended: 1,
    })
  })

  it('does nothing the second time', async () => {
    await node.sessions.endByLogoutToken(token({ sub: 'ada', jti: 'once' }))
    clock.advance(5)
    const session = await enter({ issuedAtSeconds: nowSeconds() - 5 })
    const again = await node.sessions.endByLogoutToken(token({ sub: 'ada', jti: 'once' }))
    expect(again).toEqual({ ended: 0, replayed: true })
    expect(await isAlive(session)).toBe(true)
  })

  it('writes the tombstone, reads the index, deletes, and only then counts as used', async () => {
    await enter()
    store.calls.length = 0
    await node.sessions.endByLogoutToken(token({ sid: 'sid-1' }))
    const relevant = ['isTokenUsed', 'writeTombstone', 'readIndex', 'deleteEach', 'recordTokenUse']
    expect(store.calls.filter((call) => relevant.includes(call))).toEqual(relevant)
  })

  it.each(['writeTombstone', 'readIndex', 'deleteEach'] as const)(
    'can be sent again after %s failed',
    async (method) => {
      const session = await enter()
      const sent = token({ sid: 'sid-1' })
      store.before(method, () => Promise.reject(unavailable()))
      await expect(node.sessions.endByLogoutToken(sent)).rejects.toMatchObject({
        code: 'session_store_unavailable',
      })
      store.before(method, undefined)
      expect(await node.sessions.endByLogoutToken(sent)).toEqual({ ended: 1, replayed: false })
      expect(await isAlive(session)).toBe(false)
    },
  )

  it('ends what it can when one of several cannot be ended', async () => {
    const [one, two] = [await enter(), await enter()]
    store.stuck([one.view.h])
    await expect(node.sessions.endByLogoutToken(token({ sub: 'ada' }))).rejects.toThrow()
    store.stuck([])
    expect([await isAlive(one), await isAlive(two)]).toEqual([true, false])
  })
})

describe('front-channel logout', () => {
  it('ends every session of that provider session, and writes nothing for an unknown one', async () => {
    const [one, two, other] = [await enter(), await enter(), await enter({ providerSessionId: 'sid-2' })]
    expect(await node.sessions.endByProviderSession(issuer, 'sid-1')).toBe(2)
    expect(await Promise.all([one, two, other].map(isAlive))).toEqual([false, false, true])
    store.calls.length = 0
    expect(await node.sessions.endByProviderSession(issuer, 'unknown')).toBe(0)
    expect(await node.sessions.endByProviderSession('https://other.example', 'sid-2')).toBe(0)
    expect(new Set(store.calls)).toEqual(new Set(['readIndex']))
  })
})

describe("a user's own sessions", () => {
  it('are listed with little, the newest first, without anything usable as a session', async () => {
    const first = await enter()
    clock.advance(1_000)
    const second = await enter()
    await enter({ subject: 'bob' })
    const { sessions: listed = [] } = (await node.sessions.list(first, firstPage)) ?? {}
    expect(listed.map(({ createdAtMs, current }) => [createdAtMs, current])).toEqual([
      [clock.now(), false],
      [clock.now() - 1_000, true],
    ])
    expect(Object.keys(listed[0] ?? {}).sort()).toEqual(
      ['browserFamily', 'createdAtMs', 'current', 'id', 'isDeviceBound', 'lastSeenAtMs'].sort(),
    )
    for (const { id } of listed) {
      expect([first.id, second.id, first.view.h, second.view.h]).not.toContain(id)
      expect(await node.sessions.find(id)).toBeUndefined()
    }
  })

  it('are ended one by one by their owner, and by nobody else', async () => {
    const [mine, other] = [await enter(), await enter()]
    const bobs = await enter({ subject: 'bob' })
    const page = await node.sessions.list(mine, firstPage)
    const listed = page?.sessions.find(({ current }) => !current)
    expect(await node.sessions.endListed(bobs, listed?.id ?? '')).toBe('unknown')
    expect(await isAlive(other)).toBe(true)
    expect(await node.sessions.endListed(mine, listed?.id ?? '')).toBe('ended')
    expect(await Promise.all([mine, other].map(isAlive))).toEqual([true, false])
    expect(await node.sessions.endListed(mine, 'unknown')).toBe('unknown')
  })

  it('end all together but this one, which is left to whoever holds its cookie', async () => {
    const [mine, other] = [await enter(), await enter()]
    const bobs = await enter({ subject: 'bob', providerSessionId: 'sid-2' })
    await node.records.indexes.remove(mine.view.h, mine.record.identity)
    expect(await node.sessions.endOthersOf(mine)).toMatchObject({ ended: 1, failed: 0 })
    expect(await Promise.all([mine, other, bobs].map(isAlive))).toEqual([true, false, true])
  })
})
