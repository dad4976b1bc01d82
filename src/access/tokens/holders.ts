import type { Sessions } from '../../session/lifecycle/sessions.ts'

/** What is kept for sessions, by their hashes. */
export interface Holdings {
  has(h: string): boolean
  forget(h: string): void
}

/** Sessions that have changed are asked for together, this long after the first; milliseconds. */
const gatherMs = 1_000

/**
 * Forgets what is kept for a session once it has ended anywhere. A change may be no more than activity, so the store is asked; when it
 * does not answer, it is asked again. Nothing is ever used for an ended session: its lookup fails before.
 *
 * @returns what begins the watch; calling it again does nothing
 */
export function watchHolders(
  sessions: Pick<Sessions, 'subscribe' | 'exist'>,
  holdings: Holdings,
): () => void {
  const suspects = new Set<string>()
  let isWatching = false
  const check = async (): Promise<void> => {
    const hs = [...suspects]
    suspects.clear()
    try {
      const found = await sessions.exist(hs)
      for (const [at, h] of hs.entries()) {
        if (found[at] === false) holdings.forget(h)
        // The part of the store that knows does not answer.
        else if (found[at] === undefined) suspect(h)
      }
    } catch {
      for (const h of hs) suspect(h)
    }
  }
  const suspect = (h: string): void => {
    if (!holdings.has(h)) return
    if (suspects.size === 0) setTimeout(() => void check(), gatherMs).unref()
    suspects.add(h)
  }
  return () => {
    if (isWatching) return
    isWatching = true
    sessions.subscribe((h) => {
      if (h !== undefined) suspect(h)
    })
  }
}
