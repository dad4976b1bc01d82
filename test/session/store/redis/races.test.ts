import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newWriteId } from '../../../../src/session/record/keys.ts'
import type { SessionStore } from '../../../../src/session/store/contract.ts'
import { createStoreKeys } from '../../../../src/session/store/keys.ts'
import { createRedisStore } from '../../../../src/session/store/redis/store.ts'
import { silentLogger } from '../../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../../src/telemetry/measures/metrics.ts'
import { eventually } from '../../../support/eventually.ts'
import { type RedisServer, startRedis } from '../../../support/redis/redis.ts'
import { controlStore, createStop } from '../../support/controlled-store.ts'
import {
  api,
  createNode,
  createScriptedRefreshes,
  type Node,
  type ScriptedRefreshes,
  signIn,
  viewOf,
} from '../../support/sessions-world.ts'

const telemetry = { log: silentLogger(), metrics: noMetrics }
let redis: RedisServer
let stores: readonly [SessionStore, SessionStore]
let refreshes: ScriptedRefreshes
let node: Node
let other: Node

const keys = createStoreKeys()
const openStore = (): SessionStore =>
  createRedisStore({ redisUrl: redis.url, sessionMaxLifetime: 36_000 }, { telemetry })

beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

beforeEach(async () => {
  stores = [openStore(), openStore()]
  refreshes = createScriptedRefreshes(Date.now)
  const common = { now: Date.now, provider: refreshes.provider, providerTimeout: 1 }
  node = createNode({ store: stores[0], ...common })
  other = createNode({ store: stores[1], ...common })
  await eventually(() => {
    for (const store of stores) expect([store.status().ready, store.changes.isLive()]).toEqual([true, true])
  })
})

afterEach(() => Promise.all(stores.map((store) => store.close())))

/** A session whose access token was over from the start. */
async function expired(): Promise<{ id: string; h: string }> {
  const { id, view } = await signIn(node, () => Date.now() - 60_000, { lifeMs: 60_000 })
  return { id, h: view.h }
}

async function get(one: Node, id: string): Promise<string> {
  return (await one.accessTokens.get(id, await viewOf(one, id), api)).value
}

describe('two nodes on one Redis', () => {
  it('refresh once for a hundred requests', async () => {
    const { id } = await expired()
    const asked = Array.from({ length: 100 }, (_, at) => get(at % 2 === 0 ? node : other, id))
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['default-1']))
    expect(refreshes.presented).toEqual(['refresh-0'])
  })

  it('see the end of a session at once, although both have it cached', async () => {
    const { id, h } = await expired()
    await get(node, id)
    await eventually(async () => {
      await viewOf(other, id)
      expect(other.sessions.find(id)).not.toBeInstanceOf(Promise)
    })
    await node.sessions.end(h)
    expect(await node.sessions.find(id)).toBeUndefined()
    await eventually(async () => expect(await other.sessions.find(id)).toBeUndefined(), 1_000)
  })

  it('never cache what an operator deleted while it was being read', async () => {
    const { id, h } = await expired()
    const slow = controlStore(stores[0])
    const reader = createNode({ store: slow, now: Date.now, provider: refreshes.provider })
    const stop = createStop()
    slow.after('read', stop.wait)
    const reading = reader.sessions.find(id)
    await stop.reached
    const heard = new Promise<void>((resolve) => {
      stores[0].changes.subscribe((changed) => (changed === h ? resolve() : undefined))
    })
    await redis.client().del(keys.session(h))
    await heard
    slow.after('read', undefined)
    stop.open()
    await reading
    expect(await reader.sessions.find(id)).toBeUndefined()
  })

  it('take over the refresh of a node that died', async () => {
    const { id, h } = await expired()
    const startedAtMs = performance.now()
    await stores[1].acquireLease(h, newWriteId(), 1_500)
    expect(await get(node, id)).toBe('default-1')
    expect(performance.now() - startedAtMs).toBeGreaterThan(1_490)
  })

  it('leave no lease and no key of a session that ended during its refresh', async () => {
    const { id, h } = await expired()
    const stop = createStop()
    refreshes.answer = async (input) => {
      await stop.wait()
      return refreshes.rotate(input)
    }
    const waiting = get(node, id)
    await stop.reached
    const session = await other.sessions.open(id)
    if (session === undefined) throw new Error('no session')
    await other.sessions.endOpened(session)
    stop.open()
    await expect(waiting).rejects.toMatchObject({ code: 'session_expired' })
    await node.accessTokens.drained()
    expect(refreshes.revoked).toEqual(['refresh-1'])
    const client = redis.client()
    expect(await client.exists(keys.session(h), keys.lease(h))).toBe(0)
  })
})

describe('a Redis that freezes in the middle of the write after a grant', () => {
  it('costs 503 until it answers, then the session goes on with the new tokens, and nothing is revoked', async () => {
    const { id } = await expired()
    const view = await viewOf(node, id)
    refreshes.answer = (input) => {
      redis.freeze()
      return refreshes.rotate(input)
    }
    const startedAtMs = performance.now()
    const waiting = node.accessTokens.get(id, view, api)
    await expect(waiting).rejects.toMatchObject({ code: 'session_store_unavailable' })
    expect(performance.now() - startedAtMs).toBeLessThan(2_000)
    await expect(node.accessTokens.get(id, view, api)).rejects.toMatchObject({
      code: 'session_store_unavailable',
    })
    redis.thaw()
    await node.accessTokens.drained()
    expect(await get(node, id)).toBe('default-1')
    await eventually(async () => expect(await get(other, id)).toBe('default-1'))
    expect(refreshes.presented).toEqual(['refresh-0'])
    expect(refreshes.revoked).toEqual([])
  })
})

describe('a steady signed-in session', () => {
  it('costs one read, and nothing else, for a thousand requests', async () => {
    const { id } = await signIn(node, Date.now)
    const client = redis.client()
    await client.config('RESETSTAT')
    for (let request = 0; request < 1_000; request += 1) {
      const view = await node.sessions.find(id)
      if (view === undefined) throw new Error('no session')
      node.sessions.touch(view)
      await node.accessTokens.get(id, view, api)
    }
    const stats = await client.info('commandstats')
    const counts = [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name, calls]) => [
      name,
      Number(calls),
    ])
    const others = new Set(['ping', 'info', 'config|resetstat', 'client|setinfo', 'hello', 'select', 'auth'])
    const { hmget, ...rest } = Object.fromEntries(counts.filter(([name]) => !others.has(`${name}`)))
    expect(rest).toEqual({})
    // Read again where a busy machine kept the feed waiting in between; never once a request.
    expect(hmget).toBeLessThan(10)
  })
})
