/** Lets a number of pieces of work run at the same time; the others wait in their order. */
export interface Limiter {
  /** Resolves, when it is this one's turn, to what gives the place back; call it once. */
  enter(): Promise<() => void>
}

/** Makes a limiter with this many places. */
export function createLimiter(places: number): Limiter {
  const waiting: (() => void)[] = []
  let free = places
  const leave = (): void => {
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
  }
  return {
    async enter() {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      return leave
    },
  }
}
