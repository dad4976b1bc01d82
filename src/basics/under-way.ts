/** Work that somebody has begun and nobody has to wait for, but for whoever ends everything. */
export interface UnderWay {
  /** How many are under way. */
  readonly size: number
  /** Takes note of work until it is over; what it resolves to or rejects with is its own. */
  add<Result>(work: Promise<Result>): Promise<Result>
  /** Resolves when nothing is under way any more, whatever became of it and whatever is begun meanwhile. */
  finished(): Promise<void>
}

/** Makes the list of what is under way. */
export function createUnderWay(): UnderWay {
  const all = new Set<Promise<unknown>>()
  return {
    get size() {
      return all.size
    },
    add(work) {
      all.add(work)
      const remove = (): void => void all.delete(work)
      work.then(remove, remove)
      return work
    },
    async finished() {
      while (all.size > 0) await Promise.allSettled(all)
    },
  }
}
