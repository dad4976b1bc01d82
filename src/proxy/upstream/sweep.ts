/** How often silence is measured; a timeout is exact to this many milliseconds. */
export const sweepMs = 250
