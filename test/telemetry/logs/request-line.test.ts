import { expect, it } from 'vitest'
import { createLogger } from '../../../src/telemetry/logs/logger.ts'
import { createRequestLine, type RequestOutcome } from '../../../src/telemetry/logs/request-line.ts'

const outcome: RequestOutcome = {
  requestId: 'req-1',
  method: 'GET',
  path: '/api/"orders"\\\u0007\u2028é',
  status: 200,
  milliseconds: 1.5,
  complete: true,
  sessionRef: 'abc_-1',
  userRef: undefined,
  traceId: 'f00',
}

it('is the line that the logger would have written, field by field', () => {
  const lines: string[] = []
  const log = createLogger({ logLevel: 'info', logFormat: 'json' }, { write: (line) => lines.push(line) })
  const bound = log.child({ frontend: 'shop' })
  for (const each of [log, bound]) {
    createRequestLine(each)(outcome)
    each.info(outcome, 'request')
  }
  const parsed = lines.map((line) => ({ ...(JSON.parse(line) as object), time: 'T' }))
  expect(lines.every((line) => line.endsWith('\n') && !line.slice(0, -1).includes('\n'))).toBe(true)
  expect(parsed[0]).toEqual(parsed[1])
  expect(parsed[2]).toEqual(parsed[3])
  expect(parsed[2]).toMatchObject({ frontend: 'shop', path: outcome.path })
  expect(Object.keys(JSON.parse(lines[0] ?? '') as object)).toEqual(
    Object.keys(JSON.parse(lines[1] ?? '') as object),
  )
})

it('names the time of the line', () => {
  const lines: string[] = []
  const log = createLogger({ logLevel: 'info', logFormat: 'json' }, { write: (line) => lines.push(line) })
  const before = Date.now()
  createRequestLine(log)(outcome)
  const time = Date.parse(String((JSON.parse(lines[0] ?? '') as { time: string }).time))
  expect(time).toBeGreaterThanOrEqual(before)
  expect(time).toBeLessThanOrEqual(Date.now())
})
