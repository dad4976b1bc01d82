import { expect, it } from 'vitest'
import { createRecentMap } from '../../src/basics/recent-map.ts'

it('keeps the entries that were used last, and no more', () => {
  const map = createRecentMap<number>(3)
  for (const [at, key] of ['a', 'b', 'c'].entries()) map.set(key, at)
  map.get('a')
  map.set('d', 3)
  expect([...map.keys()].toSorted()).toEqual(['a', 'c', 'd'])
  for (let at = 0; at < 1_000; at++) map.set(`${at}`, at)
  expect(map.size).toBe(3)
  map.delete('999')
  map.set('x', 1)
  expect([...map.keys()].toSorted()).toEqual(['997', '998', 'x'])
})

it('takes room as it fills: a thousand empty ones are small', () => {
  const before = process.memoryUsage()
  const maps = Array.from({ length: 1_000 }, () => createRecentMap<number>(50_000))
  const after = process.memoryUsage()
  const taken = after.heapUsed + after.external - before.heapUsed - before.external
  expect(maps).toHaveLength(1_000)
  expect(taken).toBeLessThan(50_000_000)
})
