import { describe, expect, it } from 'vitest'
import { mapInTurns } from '../../src/basics/in-turns.ts'

describe('mapping in turns', () => {
  it('makes what map makes, in order, with the places of the items', async () => {
    const items = Array.from({ length: 23 }, (_one, at) => `item-${at}`)
    expect(await mapInTurns(items, (item, at) => [item, at])).toEqual(items.map((item, at) => [item, at]))
    expect(await mapInTurns([], () => 1)).toEqual([])
  })

  it('lets others have their turn between a few items and the next', async () => {
    let turns = 0
    const turnOf = await mapInTurns(Array.from({ length: 12 }), () => {
      setImmediate(() => {
        turns += 1
      })
      return turns
    })
    expect(new Set(turnOf).size).toBeGreaterThan(2)
  })

  it('stops at what the work throws', async () => {
    const seen: number[] = []
    const work = (item: number): number => {
      seen.push(item)
      if (item === 7) throw new Error('seven')
      return item
    }
    await expect(mapInTurns([5, 6, 7, 8], work)).rejects.toThrow('seven')
    expect(seen).toEqual([5, 6, 7])
  })
})
