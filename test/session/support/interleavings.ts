import fc from 'fast-check'
import type { SessionStore } from '../../../src/session/store/contract.ts'
import { eventually } from '../../support/eventually.ts'
import { InterleavingRun } from './interleaving-run.ts'

const kinds = [
  'request',
  'refresh',
  'touch',
  're-login',
  'logout',
  'sid-logout',
  'sub-logout',
  'stale-logout',
  'front-channel',
  'operator-delete',
  'crash',
] as const

/** What happens to a user's sessions at the same time, on two nodes. */
export interface Step {
  readonly kind: (typeof kinds)[number]
  readonly node: 0 | 1
  readonly startMs: number
  readonly audience: 'default' | 'reports'
}

/** One run: the steps, how long each call of the store or the provider is held up, in turn, and what goes wrong meanwhile. */
export interface Schedule {
  readonly steps: readonly Step[]
  readonly delaysMs: readonly number[]
  /** Whether the nodes stand on both sides of a rotation of SESSION_SECRET: `old,new` and `new,old`. */
  readonly isRolling: boolean
  /** A session without activity ends after this; `undefined`: not during the run. */
  readonly idleMs: number | undefined
  /** Which grants meet a provider that is down, in turn. */
  readonly outages: readonly boolean[]
  /** Which writes are carried out without their answer arriving, in turn. */
  readonly lostAnswers: readonly boolean[]
}

const mostly = (usual: boolean): fc.Arbitrary<boolean> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constant(!usual) })

/** Troubles in turn, never nothing but them: a schedule in which every answer is lost would come to no end. */
function withProgress(maxLength: number): fc.Arbitrary<readonly boolean[]> {
  return fc.array(mostly(false), { minLength: 1, maxLength }).map((troubles) => [...troubles, false])
}

const often = { weight: 3, arbitrary: fc.constantFrom('request' as const, 'refresh' as const) }

/** All schedules: short, because what goes wrong between few goes wrong among many. */
export const schedules: fc.Arbitrary<Schedule> = fc.record({
  steps: fc.array(
    fc.record({
      kind: fc.oneof(often, { weight: 7, arbitrary: fc.constantFrom(...kinds) }),
      node: fc.constantFrom(0 as const, 1 as const),
      startMs: fc.integer({ min: 0, max: 8 }),
      audience: fc.constantFrom('default' as const, 'reports' as const),
    }),
    { minLength: 2, maxLength: 9 },
  ),
  delaysMs: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }),
  isRolling: fc.boolean(),
  idleMs: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.integer({ min: 5, max: 30 }) },
  ),
  outages: withProgress(8),
  lostAnswers: withProgress(16),
})

/** How often a schedule is tried when a starved machine makes the store too slow. */
const mostTries = 20
/** For so long the store may be away before that, milliseconds. */
const longestAwayMs = 60_000

/**
 * Runs a schedule on two nodes over two connections to one store. A run in which the store itself does not answer says nothing about the
 * schedule, which has troubles of its own: it is run again.
 *
 * @returns what went wrong
 */
export async function runSchedule(
  stores: readonly [SessionStore, SessionStore],
  schedule: Schedule,
): Promise<readonly string[]> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const watched = watchStores(stores)
    const faults = await new InterleavingRun(watched.stores, schedule).carryOut().catch((error: unknown) => {
      if (!watched.hasFailed()) throw error
      return []
    })
    if (!watched.hasFailed()) return faults
    // A connection that was lost refuses everything at once: twenty tries are nothing.
    await eventually(() => Promise.all(stores.map((store) => store.ping())), longestAwayMs)
  }
  return ['the store does not answer']
}

/** The same stores, and whether any call of them has failed. */
function watchStores([first, second]: readonly [SessionStore, SessionStore]): {
  readonly stores: readonly [SessionStore, SessionStore]
  readonly hasFailed: () => boolean
} {
  let hasFailed = false
  const note = (error: unknown): never => {
    hasFailed = true
    throw error
  }
  const watch = (store: SessionStore): SessionStore =>
    new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: readonly unknown[]) => {
          const result: unknown = Reflect.apply(value, target, args)
          return result instanceof Promise ? result.catch(note) : result
        }
      },
    })
  return { stores: [watch(first), watch(second)], hasFailed: () => hasFailed }
}

/** Runs under way at the same time: each mostly waits. */
const lanes = 8

/**
 * Runs generated schedules side by side.
 *
 * @throws Error what went wrong, the seed and the schedule; the other lanes are still at work then
 */
export async function checkSchedules(
  stores: readonly [SessionStore, SessionStore],
  runs: number,
  seed: number,
): Promise<void> {
  const property = fc.asyncProperty(schedules, async (schedule) => {
    const faults = await runSchedule(stores, schedule)
    if (faults.length > 0) throw new Error(faults.join('\n'))
  })
  const check = async (lane: number): Promise<void> => {
    const parameters = { numRuns: Math.ceil(runs / lanes), seed: seed + lane, endOnFailure: true }
    const { failed, counterexample, errorInstance } = await fc.check(property, parameters)
    if (failed) throw new Error(`${errorInstance}\nseed ${seed + lane}\n${JSON.stringify(counterexample)}`)
  }
  await Promise.all(Array.from({ length: lanes }, (_, lane) => check(lane)))
}
