import { expect, inject, test } from 'vitest'
import { ConnectionFuzz } from '../support/connection-fuzz/fuzz.ts'

test('whatever clients do on their connections, the process lives, descriptors and places come back, and every request has one line', async () => {
  const seed = inject('seed')
  const fuzz = new ConnectionFuzz(seed)
  const faults = await fuzz.run(40_000)
  expect({ seed, faults: faults.slice(0, 20) }).toEqual({ seed, faults: [] })
  expect(fuzz.counts.connections).toBeGreaterThan(200)
}, 120_000)
