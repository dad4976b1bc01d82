import type { StoreOperation } from '../operations.ts'
import type { RedisFault } from './fault.ts'

/**
 * A kind of operation that has failed while Redis answers others (rights withdrawn, a part of a Cluster down) counts as failing until one of
 * its kind has succeeded, or none was tried for so long; milliseconds. Where it is known how, it is tried again without being asked for.
 */
const forgottenAfterMs = 30_000

/** Carries out an operation that has failed once more, harmlessly, and reports as any operation does. */
export type TryAgain = (operation: StoreOperation, key: string | undefined) => Promise<unknown>

/** The kinds of operations that fail while Redis answers. */
export interface FailingOperations {
  failed(operation: StoreOperation, fault: RedisFault, key: string | undefined): void
  succeeded(operation: StoreOperation): void
  /** With no traffic, nobody else would find out that they work again. Never rejects. */
  tryAll(): Promise<unknown>
  /** Whether any is left. */
  isAny(): boolean
}

interface Failing {
  readonly atMs: number
  /** The first key that it failed with. */
  readonly key: string | undefined
  /** Whether another key would tell as much. */
  readonly isAnywhere: boolean
}

/** Remembers which kinds of operations fail. */
export function createFailing(tryAgain: TryAgain): FailingOperations {
  const failing = new Map<StoreOperation, Failing>()
  return {
    failed(operation, { isDenied }, key) {
      const known = failing.get(operation)?.key ?? key
      failing.set(operation, { atMs: performance.now(), key: known, isAnywhere: isDenied })
    },
    succeeded: (operation) => void (failing.size > 0 && failing.delete(operation)),
    tryAll() {
      const tried = [...failing].filter(([, { key, isAnywhere }]) => isAnywhere || key !== undefined)
      // What fails again has been told of by then.
      return Promise.allSettled(tried.map(([operation, { key }]) => tryAgain(operation, key)))
    },
    isAny() {
      const nowMs = performance.now()
      for (const [operation, { atMs }] of failing)
        if (nowMs - atMs > forgottenAfterMs) failing.delete(operation)
      return failing.size > 0
    },
  }
}
