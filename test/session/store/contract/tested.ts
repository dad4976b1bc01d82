import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { SessionStore } from '../../../../src/session/store/contract.ts'
import { eventually } from '../../../support/eventually.ts'
import { type LoggedStore, untilReady } from '../../../support/redis/redis-stores.ts'
import { type Fault, type Levers, possibleFaults, type Running, type Subject } from './subjects.ts'

/** A store of the group of tests that it is used in. */
export interface Tested {
  readonly store: SessionStore
  readonly levers: Levers | undefined
  /** Another store on the same servers, closed after the test. */
  open(): Promise<LoggedStore>
  /** Claims something of a fault, or says why it cannot happen. */
  claim(fault: Fault, title: string, proof: (levers: Levers) => Promise<unknown>): void
}

const setupMs = 60_000
const proofMs = 60_000

/** Starts a store before the tests of a group, and stops it after them. */
export function testedStore({ start, lacks }: Subject): Tested {
  let running: Running
  let own: LoggedStore
  const others: LoggedStore[] = []
  const tested: Tested = {
    get store() {
      return own.store
    },
    get levers() {
      return running.levers
    },
    async open() {
      const logged = running.open()
      others.push(logged)
      await untilReady(logged, setupMs)
      return logged
    },
    claim(fault, title, proof) {
      const reason = lacks[fault]
      if (reason !== undefined) {
        it(`knows nothing of ${fault}: ${reason}`, () =>
          expect(possibleFaults(running.levers)).not.toContain(fault))
        return
      }
      it(
        title,
        async () => {
          if (running.levers === undefined) throw new Error(`nothing can bring about ${fault}`)
          await running.levers.wait()
          await proof(running.levers)
        },
        proofMs,
      )
    },
  }
  beforeAll(async () => {
    running = await start()
    own = running.open()
    await eventually(() => own.store.ping(), setupMs)
    await untilReady(own, setupMs)
  }, setupMs)
  afterEach(() => Promise.all(others.splice(0).map(({ store }) => store.close())))
  afterAll(async () => {
    await own?.store.close()
    await running?.stop()
  })
  return tested
}
