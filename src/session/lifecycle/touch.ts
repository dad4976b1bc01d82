import type { SessionRecords } from '../record/records.ts'
import { isTouchDue, type SessionView } from '../record/session.ts'
import type { Sessions } from './sessions.ts'

/** What counting activity needs. */
export interface TouchDependencies {
  readonly records: Pick<SessionRecords, 'touch' | 'limits'>
  readonly now: () => number
}

/**
 * Counts activity: at most one write per session and interval from this process, in the background. A failure is counted by the
 * store's metrics and made good by the next request.
 */
export function createTouch({ records, now }: TouchDependencies): Pick<Sessions, 'touch' | 'touchNow'> {
  const underWay = new Set<string>()
  const touchInBackground = (view: SessionView, nowMs: number): void => {
    const { h } = view
    const done = (): void => void underWay.delete(h)
    underWay.add(h)
    records.touch(view, nowMs).then(done, done)
  }
  return {
    touch(view) {
      const nowMs = now()
      if (isTouchDue(view, records.limits, nowMs) && !underWay.has(view.h)) touchInBackground(view, nowMs)
    },
    async touchNow(view) {
      await records.touch(view, now())
    },
  }
}
