import { setTimeout as sleep } from 'node:timers/promises'

const pauseMs = 10

/**
 * Repeats an assertion until it holds, for what cannot be awaited from outside.
 *
 * @param withinMs after this the last failure is thrown
 */
export async function eventually(assertion: () => unknown, withinMs = 5_000): Promise<void> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    try {
      await assertion()
      return
    } catch (failure) {
      if (performance.now() > deadlineMs) throw failure
    }
    await sleep(pauseMs)
  }
}
