import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { watchHolders } from '../../src/access/tokens/holders.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Holdings for sessions whose store answers what a test says, in turn. */
function hold(hs: readonly string[], answers: readonly (readonly (boolean | undefined)[] | Error)[]) {
  const held = new Set(hs)
  const asked: (readonly string[])[] = []
  let tell: (h: string | undefined) => void = () => undefined
  const sessions = {
    subscribe(listener: typeof tell) {
      tell = listener
      return () => undefined
    },
    async exist(all: readonly string[]) {
      const answer = answers[asked.length] ?? all.map(() => true)
      asked.push(all)
      if (answer instanceof Error) throw answer
      return answer
    },
  }
  const holdings = { has: (h: string) => held.has(h), forget: (h: string) => void held.delete(h) }
  watchHolders(sessions, holdings)()
  return { held, asked, tell: (h: string) => tell(h) }
}

const later = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1_000)

describe('what is kept for sessions', () => {
  it('goes with those that have ended, and stays for those that only changed', async () => {
    const { held, asked, tell } = hold(['ended', 'changed'], [[false, true]])
    for (const h of ['ended', 'changed', 'of nobody here']) tell(h)
    await later()
    expect([[...held], asked]).toEqual([['changed'], [['ended', 'changed']]])
  })

  it('is asked about again while the store, or the part of it that knows, does not answer', async () => {
    const { held, asked, tell } = hold(['one', 'other'], [new Error('away'), [false, undefined], [false]])
    for (const h of ['one', 'other']) tell(h)
    await later()
    expect(held.size).toBe(2)
    await later()
    expect([...held]).toEqual(['other'])
    await later()
    expect(held.size).toBe(0)
    await later()
    expect(asked).toHaveLength(3)
  })
})
