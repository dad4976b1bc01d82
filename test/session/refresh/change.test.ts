import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OpenSession } from '../../../src/session/lifecycle/sessions.ts'
import type { SessionRecord } from '../../../src/session/record/session.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { type ControlledStore, controlStore, createStop, unavailable } from '../support/controlled-store.ts'
import {
  api,
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
let other: Node
let session: OpenSession

beforeEach(async () => {
  clock = createClock()
  store = controlStore(createMemoryStore({ sessionMaxLifetime: 36_000 }, clock))
  refreshes = createScriptedRefreshes(clock.now)
  const options = { store, now: clock.now, provider: refreshes.provider, sessionCache: false }
  node = createNode(options)
  other = createNode(options)
  session = await signIn(node, clock.now, { lifeMs: 60_000 })
})

afterEach(() => store.close())

const offered =
  (offeredAtMs: number) =>
  (record: SessionRecord): SessionRecord => ({ ...record, device: { offeredAtMs, isEnforced: false } })
const demanded = (record: SessionRecord): SessionRecord => ({ ...record, lastDemand: 'acr=gold' })
const recordOf = async (): Promise<SessionRecord | undefined> =>
  (await node.sessions.open(session.id))?.record

describe('a change of a record', () => {
  it('is written, and seen by the other node', async () => {
    await node.accessTokens.update(session, offered(7))
    expect((await other.sessions.open(session.id))?.record.device).toEqual({
      offeredAtMs: 7,
      isEnforced: false,
    })
    expect((await viewOf(other, session.id)).device?.offeredAtMs).toBe(7)
  })

  it('that changes nothing is not written', async () => {
    store.calls.length = 0
    await node.accessTokens.update(session, (record) => record)
    expect(store.calls).not.toContain('replace')
  })

  it('and another, of two nodes at once, are both kept', async () => {
    await Promise.all([
      node.accessTokens.update(session, offered(7)),
      other.accessTokens.update(session, demanded),
    ])
    expect(await recordOf()).toMatchObject({ device: { offeredAtMs: 7 }, lastDemand: 'acr=gold' })
  })

  it('waits for a refresh under way on another node, and keeps what that has brought', async () => {
    clock.advance(55_000)
    const stop = createStop()
    refreshes.answer = async (input) => {
      await stop.wait()
      return refreshes.rotate(input)
    }
    const refreshing = other.accessTokens.get(session.id, await viewOf(other, session.id), api)
    await stop.reached
    const changing = node.accessTokens.update(session, demanded)
    stop.open()
    await Promise.all([refreshing, changing])
    expect(await recordOf()).toMatchObject({ lastDemand: 'acr=gold', tokens: { refreshToken: 'refresh-1' } })
  })

  it('without the lease, as a node that has lost it makes it, throws no rotated token away', async () => {
    clock.advance(55_000)
    refreshes.answer = async (input) => {
      const opened = await node.records.open(session.id)
      if (opened === undefined) throw new Error('no session')
      expect(await node.records.prepareReplace(opened, demanded(opened.record))()).toBe('replaced')
      return refreshes.rotate(input)
    }
    const token = await other.accessTokens.get(session.id, await viewOf(other, session.id), api)
    expect(token.value).toBe('default-1')
    expect(await recordOf()).toMatchObject({ lastDemand: 'acr=gold', tokens: { refreshToken: 'refresh-1' } })
    expect(refreshes.presented).toEqual(['refresh-0'])
  })

  it('of an ended session is refused and writes nothing', async () => {
    await node.sessions.end(session.view.h)
    await expect(node.accessTokens.update(session, demanded)).rejects.toMatchObject({
      code: 'session_expired',
    })
    expect(await store.read(session.view.h)).toBeUndefined()
  })

  it('whose answer is lost is 503 at once, and settled in the background', async () => {
    let isLost = true
    store.after('replace', () => {
      if (isLost) throw unavailable()
    })
    await expect(node.accessTokens.update(session, demanded)).rejects.toMatchObject({
      code: 'session_store_unavailable',
    })
    isLost = false
    await node.accessTokens.drained()
    expect(await recordOf()).toMatchObject({ lastDemand: 'acr=gold' })
  })
})
