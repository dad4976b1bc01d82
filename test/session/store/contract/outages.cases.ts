import { expect } from 'vitest'
import type { SessionStore } from '../../../../src/session/store/contract.ts'
import { eventually } from '../../../support/eventually.ts'
import type { RedisServer } from '../../../support/redis/redis.ts'
import {
  deadlineMs,
  expectUnavailable,
  newHash,
  newRow,
  operations,
  untilReady,
} from '../../../support/redis/redis-stores.ts'
import type { Levers } from './subjects.ts'
import type { Tested } from './tested.ts'

const lifeMs = 600_000
/** A busy machine forms a group again within this. */
const recoveryMs = 30_000
/** A slot of the second master. */
const slotOfSecond = 5_461
const outage = ['session store unavailable', 'session store available again']

async function begin(store: SessionStore, count: number): Promise<readonly string[]> {
  const hs = Array.from({ length: count }, newHash)
  await Promise.all(hs.map((h) => store.create(h, newRow(), lifeMs)))
  return hs
}

async function restartAll({ servers, wait }: Levers): Promise<void> {
  await Promise.all(servers.map((server) => server.restart()))
  await wait()
}

/** Everything is refused, in time: nothing looks like an answer. */
async function expectNothing(store: SessionStore): Promise<void> {
  const h = newHash()
  await Promise.all(operations.map(([, operate]) => expectUnavailable(operate(store, h))))
}

/** What happens when servers are gone for a while. */
export function outageCases(tested: Tested): void {
  tested.claim(
    'a freeze',
    'while nothing answers refuses everything in time, however long that lasts, and goes on with its sessions',
    async ({ servers }) => {
      const logged = await tested.open()
      const [h = ''] = await begin(logged.store, 1)
      for (const server of servers) server.freeze()
      try {
        await expectNothing(logged.store)
        expect(logged.store.status()).toMatchObject({ ready: false })
        const endMs = performance.now() + 1_500
        while (performance.now() < endMs) await expectUnavailable(logged.store.read(h))
      } finally {
        for (const server of servers) server.thaw()
      }
      await untilReady(logged, recoveryMs)
      expect(await logged.store.read(h)).toBeDefined()
      expect(logged.messages).toEqual(outage)
    },
  )

  tested.claim(
    'a crash',
    'while its servers are dead refuses everything in time, says so in one line without a host, and works again, empty',
    async (levers) => {
      const logged = await tested.open()
      const [h = ''] = await begin(logged.store, 1)
      const epoch = logged.store.changes.epoch()
      await Promise.all(levers.servers.map((server) => server.kill()))
      await expectNothing(logged.store)
      expect(logged.store.status()).toMatchObject({ ready: false })
      await restartAll(levers)
      await untilReady(logged, recoveryMs)
      // Each part of it: a node of a Cluster that is back answers, and serves nothing for another two seconds.
      const everywhere = [h, ...Array.from({ length: 40 }, newHash)]
      expect(await logged.store.exist(everywhere)).toEqual(everywhere.map(() => false))
      expect(await logged.store.read(h)).toBeUndefined()
      expect(await logged.store.create(h, newRow(), lifeMs)).toBe(true)
      expect(logged.store.changes.epoch()).toBeGreaterThan(epoch)
      expect(logged.messages).toEqual(outage)
      expect(logged.text()).not.toContain('127.0.0.1')
    },
  )

  tested.claim(
    'restored snapshots',
    'goes back with a restored snapshot, says that anything may have changed, and takes no write for what it is not',
    async (levers) => {
      const logged = await tested.open()
      const { store } = logged
      const [ended = '', rotated = ''] = await begin(store, 2)
      const [before, leased] = [(await store.read(rotated))?.writeId ?? '', newHash()]
      await Promise.all(levers.masters.map((master) => master.client().save()))
      const after = { sealedRecord: Buffer.from('rotated'), writeId: 'after' }
      await store.take(ended, 'attempt', lifeMs)
      await store.replace(rotated, before, after)
      const [begun = ''] = await begin(store, 1)
      await store.acquireLease(leased, 'me', lifeMs)
      let isTold = false
      store.changes.subscribe((h) => {
        isTold ||= h === undefined
      })
      await restartAll(levers)
      await untilReady(logged, recoveryMs)
      expect(isTold).toBe(true)
      // What docs/operations.md says: the ended one lives, what was rotated is as before, what had begun is gone.
      expect(await store.exist([ended, rotated, begun])).toEqual([true, true, false])
      expect((await store.read(rotated))?.writeId).toBe(before)
      expect(await store.replace(rotated, 'after', { ...after, writeId: 'later' })).toBe('conflict')
      expect(await store.replace(begun, 'any', after)).toBe('gone')
      expect(await store.readTaken(ended, 'attempt')).toBeUndefined()
      expect(await store.renewLease(leased, 'me', lifeMs)).toBe(false)
    },
  )

  tested.claim(
    'half of the shards gone',
    'answers for the shards that are left, and never says that a session of the others is gone',
    async ({ masters, wait }) => {
      const logged = await tested.open()
      const { store } = logged
      const hs = await begin(store, 60)
      const [doomed, doomedLater] = [await begin(store, 30), await begin(store, 30)]
      const [, second, third] = masters
      await whileGone([second, third], 'freeze', () => expectPart(store, hs, doomed))
      await untilReady(logged, recoveryMs)
      expect(await store.exist(hs)).not.toContain(false)
      expect(await store.exist(hs)).not.toContain(undefined)
      await whileGone([second, third], 'kill', () => expectPart(store, hs, doomedLater))
      await wait()
      await untilReady(logged, recoveryMs)
      // Of the dead ones nothing was saved.
      await eventually(
        async () => expect(new Set(await store.exist(hs))).toEqual(new Set([true, false])),
        recoveryMs,
      )
      // Half of it working is neither: it may say so more than once, but never the same twice.
      expect(logged.messages).toEqual(logged.messages.map((_line, at) => outage[at % 2]))
      expect(logged.messages.at(-1)).toBe(outage[1])
    },
  )

  tested.claim(
    'half of the shards gone',
    'is not back while a part of it answers and serves nothing, with no traffic that would tell',
    async ({ masters, gates }) => {
      const logged = await tested.open()
      const node = masters[1]?.client()
      // To whom a slot is nobody's, the whole Cluster is down.
      await node?.cluster('DELSLOTS', slotOfSecond)
      try {
        // Until none is left at a time: a client that has another connection has lost nothing.
        await eventually(() => {
          for (const gate of gates) gate.cut()
          expect(logged.store.status().ready).toBe(false)
        })
        // Longer than it takes to find out, if there were something to find out.
        await new Promise((resolve) => setTimeout(resolve, 1_500))
        expect(logged.store.status()).toMatchObject({ reason: 'Redis has a part of its cluster down.' })
      } finally {
        await node?.cluster('ADDSLOTS', slotOfSecond)
      }
      await untilReady(logged, recoveryMs)
      expect(logged.messages).toEqual(outage)
    },
  )
}

/** Of a part of the sessions the store says that they are there, of the others nothing at all. */
async function expectPart(
  store: SessionStore,
  hs: readonly string[],
  doomed: readonly string[],
): Promise<void> {
  const startedAtMs = performance.now()
  const [found, lives] = await Promise.all([store.exist(hs), store.deviceLivesMs(hs)])
  expect(performance.now() - startedAtMs).toBeLessThan(deadlineMs)
  expect(new Set(found)).toEqual(new Set([true, undefined]))
  const at = (wanted: boolean | undefined): string => hs[found.indexOf(wanted)] ?? ''
  expect(lives.map((life) => life !== undefined)).toEqual(found.map((exists) => exists !== undefined))
  expect(await store.read(at(true))).toBeDefined()
  expect(await store.touch(at(true), 2_000, lifeMs)).toBe(true)
  // A login is not refused because an old one of its user cannot be asked about.
  const index = store.keys.bySubject(`{${at(true)}}`)
  for (const h of [at(undefined), at(true)]) await store.addToIndex(index, { h, issuedAtSeconds: 1 }, lifeMs)
  expect(await store.readIndex(index, { offset: 0, count: 9 })).toHaveLength(2)
  await Promise.all([store.read(at(undefined)), store.readFacts(hs)].map(expectUnavailable))
  const ended = await store.deleteEach(doomed)
  expect(new Set(ended.map((row) => row?.existed))).toEqual(new Set([true, undefined]))
  expect(store.changes.isLive()).toBe(false)
}

async function whileGone(
  gone: readonly (RedisServer | undefined)[],
  how: 'freeze' | 'kill',
  work: () => Promise<void>,
): Promise<void> {
  await Promise.all(gone.map(async (server) => server?.[how]()))
  try {
    await work()
  } finally {
    await Promise.all(gone.map(async (server) => (how === 'kill' ? server?.restart() : server?.thaw())))
  }
}
