import fc from 'fast-check'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { createErrorAnswers } from '../../../src/http/answers/error-answer.ts'
import { createPages } from '../../../src/http/answers/pages.ts'
import {
  createShedder,
  installOverloadProtection,
  type Shedder,
  sampleEventLoop,
} from '../../../src/http/limits/overload.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { eventually } from '../../support/eventually.ts'

const observeAll = (shedder: Shedder, lags: readonly number[]): void => {
  for (const lag of lags) shedder.observe(lag)
}

describe('the share of requests that is turned away', () => {
  it('stays nothing over a pause, however long, and over late moments that do not stay', () => {
    const shedder = createShedder()
    observeAll(shedder, [5_000, 0, 900, 900, 0, 600, 600, 499])
    expect(shedder.share()).toBe(0)
  })

  it('grows while a queue stays, up to everybody, and is nothing again soon after', () => {
    const shedder = createShedder()
    const shares = [500, 500, 500, 500, 1_000].map((lag) => {
      shedder.observe(lag)
      return shedder.share()
    })
    expect(shares).toEqual([0, 0, expect.closeTo(0.1), expect.closeTo(0.2), expect.closeTo(0.4)])
    observeAll(shedder, Array<number>(20).fill(700))
    expect(shedder.share()).toBe(1)
    observeAll(shedder, Array<number>(50).fill(10))
    expect(shedder.share()).toBe(0)
  })

  it('is between nobody and everybody, and never grows without lateness', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2_000), { maxLength: 200 }), (lags) => {
        const shedder = createShedder()
        for (const lag of lags) {
          const before = shedder.share()
          shedder.observe(lag)
          expect(shedder.share()).toBeGreaterThanOrEqual(0)
          expect(shedder.share()).toBeLessThanOrEqual(1)
          if (lag < 500) expect(shedder.share()).toBeLessThanOrEqual(before)
        }
      }),
    )
  })
})

describe('an overloaded gateway', () => {
  let app: FastifyInstance | undefined
  const counted: string[] = []
  afterEach(() => app?.close())

  function build(shedder: Shedder, random = () => 0.5): FastifyInstance {
    app = Fastify()
    const telemetry = {
      log: silentLogger(),
      metrics: { ...noMetrics, problem: (code: string) => void counted.push(code) },
    }
    const paths = { livez: '/livez', readyz: '/readyz' }
    const pages = createPages({ app: '/', login: '/login' })
    const errorAnswers = createErrorAnswers({ loginUrl: '/login', pages, transportHeaders: {} })
    installOverloadProtection(app, { paths, errorAnswers, telemetry, shedder, random })
    for (const path of ['/livez', '/readyz', '/api']) app.get(path, async () => 'served')
    return app
  }
  const fixed = (share: number): Shedder => ({ observe: () => undefined, share: () => share })

  it('answers 503 overloaded with Retry-After to the chosen share', async () => {
    const answer = await build(fixed(0.6)).inject('/api')
    expect(answer.statusCode).toBe(503)
    expect(answer.headers).toMatchObject({
      'content-type': expect.stringContaining('problem+json'),
      'retry-after': '1',
    })
    expect(answer.json()).toMatchObject({ status: 503, code: 'overloaded' })
    expect(counted).toEqual(['overloaded'])
  })

  it('serves the rest', async () => {
    expect((await build(fixed(0.4)).inject('/api')).body).toBe('served')
  })

  it('answers a person with a page', async () => {
    const answer = await build(fixed(1)).inject({ url: '/api', headers: { 'sec-fetch-mode': 'navigate' } })
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([503, 'text/html; charset=utf-8'])
  })

  it.each(['/livez', '/readyz', '/readyz?for=traffic'])('always answers %s', async (url) => {
    expect((await build(fixed(1)).inject(url)).body).toBe('served')
  })

  it('is found by how late its event loop really is', async () => {
    const lags: number[] = []
    const stop = sampleEventLoop((lag) => lags.push(lag))
    await eventually(() => expect(lags.length).toBeGreaterThan(0))
    const untilMs = performance.now() + 400
    while (performance.now() < untilMs) Math.random()
    await eventually(() => expect(Math.max(...lags)).toBeGreaterThan(200))
    stop()
  })
})
