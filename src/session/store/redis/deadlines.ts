import { Bag, type Bagged, nowhere } from '../../../basics/bag.ts'

/** How finely time is counted, milliseconds. */
const tickMs = 50

/** Time limits that count only while this process is awake. */
export interface Deadlines {
  /** What the work resolves to, or a failure when it has not come within the limit. The work itself goes on. */
  within<Result>(work: Promise<Result>): Promise<Result>
}

/** For operations whose questions each have a limit of their own. */
export const unlimited: Deadlines = { within: (work) => work }

interface Pending extends Bagged {
  ticksLeft: number
  readonly giveUp: () => void
}

/**
 * Makes limits of `limitMs`. They are counted in ticks: while the event loop stalls there are none, so that an answer that lies unread in
 * the socket is read before anybody takes it for missing. A stall of ours is no outage of Redis.
 */
export function createDeadlines(limitMs: number): Deadlines {
  // One more, because the first tick may come at once.
  const ticks = Math.ceil(limitMs / tickMs) + 1
  const pending = new Bag<Pending>()
  let timer: NodeJS.Timeout | undefined
  const tick = (): void => {
    pending.visit((one) => {
      one.ticksLeft -= 1
      if (one.ticksLeft <= 0) one.giveUp()
    })
    if (pending.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
  return {
    within(work) {
      return new Promise((resolve, reject) => {
        const giveUp = (): void => {
          pending.delete(one)
          reject(new Error('timed out'))
        }
        const one: Pending = { place: nowhere, ticksLeft: ticks, giveUp }
        pending.add(one)
        timer ??= setInterval(tick, tickMs)
        work.then(resolve, reject).finally(() => pending.delete(one))
      })
    },
  }
}
