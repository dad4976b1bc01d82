import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../src/session/memory-store.ts'
import type { SessionStore } from '../../src/session/store.ts'
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
} from './sessions-world.ts'

let clock: Clock
let store: SessionStore
let refreshes: ScriptedRefreshes
let node: Node

beforeEach(() => {
  clock = createClock()
  store = createMemoryStore({ sessionMaxLifetime: 36_000 }, clock)
  refreshes = createScriptedRefreshes(clock.now, 300_000)
  node = createNode({ store, now: clock.now, provider: refreshes.provider })
})

afterEach(() => store.close())

describe('an access token', () => {
  it('that is usable is given without a promise', async () => {
    const { id, view } = await signIn(node, clock.now)
    expect(node.accessTokens.get(id, view, api)).toMatchObject({ value: 'default-0' })
    expect(refreshes.presented).toEqual([])
  })

  it('that has expired is refreshed once for fifty requests on two nodes', async () => {
    const other = createNode({ store, now: clock.now, provider: refreshes.provider })
    const { id } = await signIn(node, clock.now, { lifeMs: 60_000 })
    clock.advance(55_000)
    const asked = Array.from({ length: 50 }, async (_, at) => {
      const one = at % 2 === 0 ? node : other
      return one.accessTokens.get(id, await viewOf(one, id), api)
    })
    const tokens = await Promise.all(asked)
    expect(new Set(tokens.map(({ value }) => value))).toEqual(new Set(['default-1']))
    expect(refreshes.presented).toEqual(['refresh-0'])
  })
})
