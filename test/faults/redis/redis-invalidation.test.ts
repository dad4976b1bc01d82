import { afterEach, describe, expect, it } from 'vitest'
import type { SessionStore } from '../../../src/session/store/contract.ts'
import { eventually } from '../../support/eventually.ts'
import { type Relay, startRelay } from '../../support/fronts/relay.ts'
import { type RedisServer, startRedis } from '../../support/redis/redis.ts'
import { type LoggedStore, newHash, newRow, openStore, untilReady } from '../../support/redis/redis-stores.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startServer(): Promise<RedisServer> {
  const server = await startRedis()
  cleanups.push(() => server.stop())
  return server
}

async function open(url: string): Promise<LoggedStore> {
  const logged = openStore({ redisUrl: url })
  cleanups.push(() => logged.store.close())
  await untilReady(logged)
  return logged
}

interface Heard {
  readonly hs: (string | undefined)[]
  /** Whether the feed was live when each was told. */
  readonly live: boolean[]
}

function listen(store: SessionStore): Heard {
  const hs: (string | undefined)[] = []
  const live: boolean[] = []
  store.changes.subscribe((h) => {
    hs.push(h)
    live.push(store.changes.isLive())
  })
  return { hs, live }
}

/** A feed that can no longer be proved is not taken for live after this: 225 ms, and what looking costs. */
const noticeMs = 300

async function expectLost(store: SessionStore): Promise<void> {
  await eventually(() => expect(store.changes.isLive()).toBe(false), noticeMs)
}

describe('the invalidation feed', () => {
  it("hears other nodes' writes and an operator's commands", async () => {
    const server = await startServer()
    const [node, other] = await Promise.all([open(server.url), open(server.url)])
    const { hs } = listen(node.store)
    const [h, another] = [newHash(), newHash()]
    await other.store.create(h, newRow(), 60_000)
    await eventually(() => expect(hs).toEqual([h]))
    await server.client().del(`coatcheck:session:{${h}}`)
    await eventually(() => expect(hs).toEqual([h, h]))
    await server.client().hset(`coatcheck:session:{${another}}`, 'd', 'x')
    await eventually(() => expect(hs).toEqual([h, h, another]))
  })

  it('hears that everything was flushed', async () => {
    const server = await startServer()
    const { store } = await open(server.url)
    const { hs } = listen(store)
    await server.client().flushall()
    await eventually(() => expect(hs).toContain(undefined))
    expect(store.changes.isLive()).toBe(true)
  })

  it('does not hear leases, indexes or the keys of others', async () => {
    const server = await startServer()
    const { store } = await open(server.url)
    const { hs } = listen(store)
    const h = newHash()
    await store.acquireLease(h, 'owner', 5_000)
    await store.addToIndex('coatcheck:by-sub:x', { h, issuedAtSeconds: 1 }, 5_000)
    await server.client().set('other', '1')
    await store.create(h, newRow(), 5_000)
    await eventually(() => expect(hs).toEqual([h]))
  })

  it('hears 5,000 writes at once, each of them, the last within a second', async () => {
    const server = await startServer()
    const { store } = await open(server.url)
    const waiting = new Set(Array.from({ length: 5_000 }, newHash))
    const client = server.client()
    const stop = store.changes.subscribe((h) => waiting.delete(h ?? ''))
    await Promise.all([...waiting].map((h) => client.hset(`coatcheck:session:{${h}}`, 'd', 'x')))
    const writtenMs = performance.now()
    await eventually(() => expect(waiting.size).toBe(0))
    // Some 20 ms on a quiet machine; the suite's other files share this one.
    expect(performance.now() - writtenMs).toBeLessThan(1_000)
    stop()
  })
})

describe('when its connection breaks, the feed', () => {
  it('is not live until it is armed again, and says that anything may have changed, both times', async () => {
    const server = await startServer()
    const { store } = await open(server.url)
    const { hs, live } = listen(store)
    const epoch = store.changes.epoch()
    await server.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(() => expect(live).toEqual([false, true]))
    expect(hs).toEqual([undefined, undefined])
    expect(store.changes.epoch()).toBe(epoch + 2)
    const h = newHash()
    await store.create(h, newRow(), 5_000)
    await eventually(() => expect(hs).toContain(h))
  })

  it('comes back after Redis was killed and started again', async () => {
    const server = await startServer()
    const { store } = await open(server.url)
    await server.kill()
    await expectLost(store)
    await server.restart()
    await eventually(() => expect(store.changes.isLive()).toBe(true))
    const { hs } = listen(store)
    const h = newHash()
    await eventually(() => store.create(h, newRow(), 5_000))
    await eventually(() => expect(hs).toContain(h))
  })

  it('is not trusted any more 300 ms after Redis froze, and is again when it answers', async () => {
    const server = await startServer()
    const { store } = await open(server.url)
    server.freeze()
    await expectLost(store)
    server.thaw()
    await eventually(() => expect(store.changes.isLive()).toBe(true))
  })
})

describe('over a bad network, the feed', () => {
  async function openThroughRelay(): Promise<{ readonly relay: Relay; readonly store: SessionStore }> {
    const server = await startServer()
    const relay = await startRelay(server.port)
    cleanups.push(() => relay.close())
    const { store } = await open(`redis://127.0.0.1:${relay.port}`)
    return { relay, store }
  }

  it('is not trusted any more 300 ms after its link went half-open, and opens another', async () => {
    const { relay, store } = await openThroughRelay()
    const epoch = store.changes.epoch()
    relay.stall()
    await expectLost(store)
    await eventually(() => expect(store.changes.isLive()).toBe(true))
    expect(store.changes.epoch()).toBeGreaterThan(epoch)
  })

  it('that is late for a moment is not used meanwhile, and has lost nothing', async () => {
    const server = await startServer()
    const { store } = await open(server.url)
    // A busy machine may keep it frozen beyond the deadline of a PING, and then the link counts as lost: another try.
    await eventually(async () => {
      const { hs } = listen(store)
      const epoch = store.changes.epoch()
      server.freeze()
      await expectLost(store).finally(server.thaw)
      await eventually(() => expect(store.changes.isLive()).toBe(true))
      expect([store.changes.epoch(), hs]).toEqual([epoch, []])
    }, 15_000)
  })

  it('follows the commands to another server, although its own still answers', async () => {
    const { relay, store } = await openThroughRelay()
    const next = await startServer()
    const epoch = store.changes.epoch()
    relay.retarget(next.port)
    // The connection that carries the commands was opened first.
    relay.cutFirst()
    await eventually(() => expect(store.changes.epoch()).toBeGreaterThan(epoch + 1))
    const { hs } = listen(store)
    const h = newHash()
    await next.client().hset(`coatcheck:session:{${h}}`, 'd', 'x')
    await eventually(() => expect(hs).toContain(h))
  })

  it('stays live for long without any change', async () => {
    const { store } = await openThroughRelay()
    const epoch = store.changes.epoch()
    await new Promise((resolve) => setTimeout(resolve, 3_500))
    expect(store.changes.epoch()).toBe(epoch)
  })

  it('is not live while it cannot reconnect, and is again when it can', async () => {
    const { relay, store } = await openThroughRelay()
    relay.refuse(true)
    relay.cut()
    await expectLost(store)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(store.changes.isLive()).toBe(false)
    relay.refuse(false)
    await eventually(() => expect(store.changes.isLive()).toBe(true))
  })
})

describe('closing the store', () => {
  it('leaves no connection behind', async () => {
    const server = await startServer()
    const logged = openStore({ redisUrl: server.url })
    await untilReady(logged)
    const clients = async (): Promise<string> => String(await server.client().client('LIST'))
    expect(await clients()).toContain('name=coatcheck')
    await logged.store.close()
    expect(logged.store.changes.isLive()).toBe(false)
    await eventually(async () => expect(await clients()).not.toContain('name=coatcheck'))
  })
})
