import { expect } from 'vitest'
import { newWriteId } from '../../../../src/session/record/keys.ts'
import type { SessionStore } from '../../../../src/session/store/contract.ts'
import { eventually } from '../../../support/eventually.ts'
import type { RedisGate, StopSide } from '../../../support/redis/redis-gate.ts'
import { expectUnavailable, newHash, newRow, untilReady } from '../../../support/redis/redis-stores.ts'
import type { Tested } from './tested.ts'

const lifeMs = 600_000

/** A write, and what it says, the second time too. */
interface RepeatedWrite {
  readonly name: string
  readonly prepare?: (store: SessionStore, h: string) => Promise<unknown>
  readonly write: (store: SessionStore, h: string) => Promise<unknown>
  readonly says: unknown
}

const row = newRow()
const next = { sealedRecord: Buffer.from('next'), writeId: newWriteId() }
const begin: RepeatedWrite['prepare'] = (store, h) => store.create(h, row, lifeMs)
const lease: RepeatedWrite['prepare'] = (store, h) => store.acquireLease(h, 'me', lifeMs)
const indexOf = (store: SessionStore, h: string): string => store.keys.bySubject(h)

const writes: readonly RepeatedWrite[] = [
  { name: 'create', write: (store, h) => store.create(h, row, lifeMs), says: true },
  {
    name: 'replace',
    prepare: begin,
    write: (store, h) => store.replace(h, row.writeId, next),
    says: 'replaced',
  },
  { name: 'touch', prepare: begin, write: (store, h) => store.touch(h, 2_000, lifeMs), says: true },
  {
    name: 'take',
    prepare: begin,
    write: (store, h) => store.take(h, 'attempt', lifeMs),
    says: { sealedRecord: row.sealedRecord, writeId: row.writeId },
  },
  { name: 'acquireLease', write: (store, h) => store.acquireLease(h, 'me', lifeMs), says: true },
  { name: 'renewLease', prepare: lease, write: (store, h) => store.renewLease(h, 'me', lifeMs), says: true },
  { name: 'releaseLease', prepare: lease, write: (store, h) => store.releaseLease(h, 'me'), says: undefined },
  {
    name: 'addToIndex',
    write: (store, h) => store.addToIndex(indexOf(store, h), { h, issuedAtSeconds: 1 }, lifeMs),
    says: undefined,
  },
  {
    name: 'removeFromIndex',
    write: (store, h) => store.removeFromIndex(indexOf(store, h), [h]),
    says: undefined,
  },
  {
    name: 'writeTombstone',
    write: (store, h) => store.writeTombstone(store.keys.ended(h), lifeMs),
    says: undefined,
  },
  { name: 'recordTokenUse', write: (store, h) => store.recordTokenUse(h, lifeMs), says: undefined },
]

/** What is asked again says the truth, whatever became of the answers before. */
export function lostAnswerCases(tested: Tested): void {
  tested.claim(
    'lost answers',
    'knows of each write whose answer was lost what became of it when it is made again',
    async ({ gates }) => {
      const logged = await tested.open()
      const { store } = logged
      // Every script is known to Redis by then: what is sent at once arrives at once.
      for (const { write } of writes) await write(store, newHash())
      const each = writes.map((one, at) => ({ ...one, h: `${newHash()}-lost-${at}` }))
      for (const { prepare, h } of each) await prepare?.(store, h)
      const outcomes = await withLostAnswer(gates, '-lost-', () =>
        Promise.all(each.map(({ write, h }) => outcomeOf(write(store, h)))),
      )
      // A Cluster's client asks again by itself.
      for (const [at, { name, says }] of each.entries())
        expect([name, outcomes[at]]).toEqual([name, outcomes[at] === unavailable ? unavailable : says])
      await untilReady(logged)
      for (const { name, write, says, h } of each) expect([name, await write(store, h)]).toEqual([name, says])
      if (gates.length === 1) expect(outcomes).toEqual(writes.map(() => unavailable))
    },
  )

  tested.claim(
    'lost answers',
    'has ended a session although it could not say so, and a deletion that is asked for again ends no other',
    async ({ gates }) => {
      const logged = await tested.open()
      const { store } = logged
      const [h, other] = [newHash(), newHash()]
      await Promise.all([h, other].map((one) => store.create(one, row, lifeMs)))
      await withLostAnswer(gates, h, () => outcomeOf(store.deleteEach([h])))
      await untilReady(logged)
      expect(await store.deleteEach([h])).toEqual([{ existed: false, sealedFacts: undefined }])
      expect(await store.exist([h, other])).toEqual([false, true])
    },
  )

  tested.claim('late answers', 'takes no slow beginning of a connection for an outage', async ({ gates }) => {
    // Which node of a Cluster is asked first is a matter of luck.
    for (let round = 0; round < 12; round += 1) {
      // Each connection begins with a question.
      const stops = gates.map((gate) => gate.stop('info', 'answer'))
      const opened = tested.open()
      await Promise.race(stops.map((stop) => stop.arrived))
      for (const stop of stops) stop.release()
      expect((await opened).messages).toEqual([])
    }
  })

  tested.claim(
    'late answers',
    'takes an answer that comes too late for no other command’s',
    async ({ gates }) => {
      const { store } = await tested.open()
      const hs = Array.from({ length: 20 }, newHash)
      const rows = hs.map(() => newRow())
      await Promise.all(hs.map((h, at) => store.create(h, rows[at] ?? row, lifeMs)))
      const late = stopAt(gates, hs[0] ?? '', 'answer')
      await expectUnavailable(store.read(hs[0] ?? ''))
      late.release()
      await eventually(async () => {
        const found = await Promise.all(hs.map((h) => store.read(h)))
        expect(found.map((one) => one?.writeId)).toEqual(rows.map(({ writeId }) => writeId))
      })
    },
  )

  tested.claim(
    'late answers',
    'may make a write that it had given up, once, and knows it for its own',
    async ({ gates }) => {
      const { store } = await tested.open()
      const h = newHash()
      await store.create(h, row, lifeMs)
      const late = stopAt(gates, h, 'command')
      await expectUnavailable(store.replace(h, row.writeId, next))
      late.release()
      await eventually(async () => expect((await store.read(h))?.writeId).toBe(next.writeId))
      expect(await store.replace(h, row.writeId, next)).toBe('replaced')
      expect(await store.replace(h, row.writeId, { ...next, writeId: newWriteId() })).toBe('conflict')
    },
  )
}

const unavailable = 'session_store_unavailable'

function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.catch(({ code }: { readonly code?: string }) => code)
}

/** Loses the answers from the first command on that mentions a text: by then Redis has carried it out. */
async function withLostAnswer<Result>(
  gates: readonly RedisGate[],
  text: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const stop = stopAt(gates, text, 'answer')
  const working = work()
  const gate = await stop.answered
  gate.cut()
  stop.release()
  return working
}

/** Stops the first command that mentions a text, whichever server it goes to. */
function stopAt(gates: readonly RedisGate[], text: string, side: StopSide) {
  const stops = gates.map((gate) => ({ gate, stop: gate.stop(text, side) }))
  return {
    answered: Promise.race(stops.map(({ gate, stop }) => stop.answered.then(() => gate))),
    release: () => {
      for (const { stop } of stops) stop.release()
    },
  }
}
