import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createBlockStream } from '../../../src/telemetry/logs/log-stream.ts'

const line = (level: string, n = 0) => `{"level":"${level}","n":${n}}\n`

let blocks: string[]
let stream: ReturnType<typeof createBlockStream>
beforeEach(() => {
  vi.useFakeTimers()
  blocks = []
  stream = createBlockStream({ write: (text) => void blocks.push(text) })
})
afterEach(() => {
  vi.useRealTimers()
})

it('writes the lines of a busy moment in one block, in their order', () => {
  for (let n = 0; n < 10; n++) stream.write(line('info', n))
  expect(blocks).toEqual([])
  vi.advanceTimersByTime(20)
  expect(blocks).toEqual([Array.from({ length: 10 }, (_, n) => line('info', n)).join('')])
})

it.each(['warn', 'error', 'fatal'])('writes a line of level %s at once, after those that waited', (level) => {
  stream.write(line('info'))
  stream.write(line(level))
  expect(blocks.join('')).toBe(line('info') + line(level))
  vi.advanceTimersByTime(1_000)
  expect(blocks.join('')).toBe(line('info') + line(level))
})

it('keeps no more than a block, whatever comes in one moment', () => {
  for (let n = 0; n < 10_000; n++) stream.write(line('info', n))
  const written = blocks.join('').length
  stream.flush()
  expect(blocks.join('').length - written).toBeLessThan(32 * 1024)
})

it('has a timer only while lines wait', () => {
  expect(vi.getTimerCount()).toBe(0)
  stream.write(line('info'))
  expect(vi.getTimerCount()).toBe(1)
  stream.flush()
  expect(vi.getTimerCount()).toBe(0)
})
