import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hashSessionId, newSessionId } from '../../../src/session/record/keys.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { type ControlledStore, controlStore, createStop, unavailable } from '../support/controlled-store.ts'
import {
  type Clock,
  createClock,
  createNode,
  createScriptedRefreshes,
  type Node,
  type ScriptedRefreshes,
  signIn,
  viewOf,
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

const reads = (): number => store.calls.filter((call) => call === 'read').length

describe('looking up a session', () => {
  it('answers without a promise once it was read', async () => {
    const { id } = await signIn(node, clock.now)
    const first = node.sessions.find(id)
    expect(first).toBeInstanceOf(Promise)
    expect(node.sessions.find(id)).toBeInstanceOf(Promise)
    const view = await first
    expect(node.sessions.find(id)).toBe(view)
    expect(reads()).toBe(1)
    expect(node.cacheResults).toEqual(['miss', 'miss', 'hit'])
  })

  it('keeps access tokens only', async () => {
    const { id } = await signIn(node, clock.now)
    const kept = JSON.stringify(await viewOf(node, id))
    expect(kept).toContain('default-0')
    expect(kept).not.toContain('refresh-0')
    expect(kept).not.toContain('id-token')
    expect(kept).not.toContain(id)
  })

  it.each([
    '',
    'x',
    'a'.repeat(42),
    `${'a'.repeat(43)} `,
    'ä'.repeat(43),
    '../'.repeat(50),
    'a'.repeat(5_000),
  ])('asks nobody about %j', async (garbage) => {
    expect(node.sessions.find(garbage)).toBeUndefined()
    expect(await node.sessions.open(garbage)).toBeUndefined()
    expect(store.calls).toEqual([])
  })

  it('finds nothing under an id that nobody was given', async () => {
    await signIn(node, clock.now)
    expect(await node.sessions.find(newSessionId())).toBeUndefined()
  })

  it('shares no read that began before a change', async () => {
    const { id, view } = await signIn(node, clock.now)
    const stop = createStop()
    store.after('read', stop.wait)
    const before = node.sessions.find(id)
    await stop.reached
    store.after('read', undefined)
    await node.sessions.end(view.h)
    expect(await node.sessions.find(id)).toBeUndefined()
    stop.open()
    expect(await before).toBeDefined()
    expect(await node.sessions.find(id)).toBeUndefined()
  })

  it('reads each time with the cache off', async () => {
    node = createNode({ store, now: clock.now, provider: refreshes.provider, sessionCache: false })
    const { id } = await signIn(node, clock.now)
    await node.sessions.find(id)
    await node.sessions.find(id)
    expect(reads()).toBe(2)
    expect(node.cacheResults).toEqual(['bypass', 'bypass'])
  })

  it('rejects while the store does not answer, and finds the session again afterwards', async () => {
    const { id } = await signIn(node, clock.now)
    store.before('read', () => Promise.reject(unavailable()))
    await expect(node.sessions.find(id)).rejects.toMatchObject({ code: 'session_store_unavailable' })
    store.before('read', undefined)
    expect(await node.sessions.find(id)).toBeDefined()
  })

  it('of a record that a newer version wrote says that the store is unavailable, not that there is none', async () => {
    const { id, view } = await signIn(node, clock.now)
    const row = await store.read(view.h)
    const newer = Buffer.from(row?.sealedRecord ?? [])
    newer[0] = 99
    await store.replace(view.h, view.writeId, { sealedRecord: newer, writeId: 'newer' })
    await expect(node.sessions.open(id)).rejects.toMatchObject({ code: 'session_store_unavailable' })
  })

  it('never mixes two users in one browser, one after the other', async () => {
    const ada = await signIn(node, clock.now, { subject: 'ada' })
    await node.sessions.endOpened(ada)
    const bob = await signIn(node, clock.now, { subject: 'bob' })
    expect(await node.sessions.find(ada.id)).toBeUndefined()
    expect((await node.sessions.open(bob.id))?.record.identity.subject).toBe('bob')
    expect(bob.view.userRef).not.toBe(ada.view.userRef)
  })
})

describe('activity', () => {
  const touches = (): number => store.calls.filter((call) => call === 'touch').length

  it('is written once an interval, however many requests come', async () => {
    const { id } = await signIn(node, clock.now)
    clock.advance(89_999)
    node.sessions.touch(await viewOf(node, id))
    expect(touches()).toBe(0)
    clock.advance(1)
    const view = await viewOf(node, id)
    node.sessions.touch(view)
    node.sessions.touch(view)
    await Promise.resolve()
    expect(touches()).toBe(1)
  })

  it('is seen by this and other nodes', async () => {
    const other = createNode({ store, now: clock.now, provider: refreshes.provider })
    const { id } = await signIn(node, clock.now)
    await viewOf(other, id)
    clock.advance(100_000)
    await node.sessions.touchNow(await viewOf(node, id))
    expect((await viewOf(node, id)).lastSeenAtMs).toBe(clock.now())
    expect((await viewOf(other, id)).lastSeenAtMs).toBe(clock.now())
  })

  it('brings nothing back', async () => {
    const { view, id } = await signIn(node, clock.now)
    await node.sessions.end(view.h)
    clock.advance(100_000)
    await node.sessions.touchNow(view)
    expect(await store.exist([view.h])).toEqual([false])
    expect(await node.sessions.find(id)).toBeUndefined()
  })

  it('that cannot be written is tried again by the next request', async () => {
    const { id } = await signIn(node, clock.now)
    clock.advance(100_000)
    const view = await viewOf(node, id)
    store.before('touch', () => Promise.reject(unavailable()))
    node.sessions.touch(view)
    await new Promise(setImmediate)
    store.before('touch', undefined)
    node.sessions.touch(view)
    await new Promise(setImmediate)
    expect((await store.read(hashSessionId(id)))?.lastSeenAtMs).toBe(clock.now())
  })
})
