import { createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createGateway } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { examine } from '../../src/doctor/examine.ts'
import { startEcho } from '../../src/doctor/front/echo.ts'
import type { CheckedFinding } from '../../src/doctor/report.ts'
import { minimalEnv } from '../config/fixtures.ts'
import { freePort } from '../support/ports.ts'
import { appendClient, type FrontProxyFaults, startFrontProxy, without } from './clinic/front-proxy.ts'

/** Nobody listens there, so that all that is not looked at here fails at once. */
const nowhere = 'http://127.0.0.1:4'

let port = 0
const cleanUp: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  port = await freePort()
})
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

/** What doctor says about the way from `BASE_URL` to the gateway's port, by check. */
async function lookAtFront(
  env: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, CheckedFinding>>> {
  const { checks } = await examine({
    env: { ...minimalEnv, ISSUER_URL: nowhere, API_URL: nowhere, PORT: `${port}`, ...env },
    version: '0.0.0',
    now: Date.now,
    desk: undefined,
    begin: () => undefined,
    tell: () => undefined,
  })
  return Object.fromEntries(checks.map((finding) => [finding.check, finding]))
}

async function lookBehind(
  faults: FrontProxyFaults,
  env: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, CheckedFinding>>> {
  const proxy = await startFrontProxy(port, faults)
  cleanUp.push(proxy.stop)
  return lookAtFront({ BASE_URL: proxy.origin, TRUST_PROXY: '127.0.0.1', ...env })
}

function statuses(
  found: Readonly<Record<string, CheckedFinding>>,
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    ['base-url', 'proxy.headers', 'proxy.large-headers', 'proxy.trust'].map((id) => [id, found[id]?.status]),
  )
}

const allWell = {
  'base-url': 'pass',
  'proxy.headers': 'pass',
  'proxy.large-headers': 'pass',
  'proxy.trust': 'pass',
}

describe('with the port free, doctor listens itself, and', () => {
  it('finds nothing wrong where nothing stands in front', async () => {
    const found = await lookAtFront({ BASE_URL: `http://127.0.0.1:${port}` })
    expect(statuses(found)).toEqual(allWell)
    expect(found['proxy.trust']?.summary).toMatch(/^Nothing stands in front/)
  })

  it('finds nothing wrong with a proxy that is set up well', async () => {
    const found = await lookBehind({})
    expect(statuses(found)).toEqual(allWell)
    expect(found['proxy.trust']?.summary).toBe('The proxy 127.0.0.1 is trusted, and says who its client is.')
  })

  it.each([
    ['Origin', ['origin']],
    ['Sec-Fetch-*', ['sec-fetch-']],
    ['X-CSRF', ['x-csrf']],
    ['Cookie', ['cookie']],
  ])('names a proxy that loses %s', async (name, prefixes) => {
    const found = await lookBehind({ request: (headers) => without(appendClient(headers), ...prefixes) })
    expect(statuses(found)).toEqual({ ...allWell, 'proxy.headers': 'fail' })
    expect(found['proxy.headers']?.summary).toContain(`does not pass ${name}:`)
  })

  it('names a buffer that is too small for large response headers', async () => {
    const found = await lookBehind({ headerBuffer: 4_096 })
    expect(statuses(found)).toEqual({ ...allWell, 'proxy.large-headers': 'fail' })
    expect(found['proxy.large-headers']).toMatchObject({
      summary: expect.stringContaining('(HTTP 502)'),
      fix: expect.stringContaining('proxy_buffer_size 16k'),
    })
  })

  it('names a proxy that takes cookies out of answers, and one that rewrites where they lead', async () => {
    const silent = await lookBehind({ response: (headers) => without(headers, 'set-cookie') })
    expect(silent['proxy.large-headers']?.summary).toContain('takes Set-Cookie out')
    const rewriting = await lookBehind({
      response: (headers) => ({ ...headers, ...(headers.location ? { location: '/elsewhere' } : {}) }),
    })
    expect(rewriting['proxy.large-headers']?.summary).toContain('rewrites Location')
  })

  it('names a proxy that TRUST_PROXY does not name', async () => {
    const found = await lookBehind({}, { TRUST_PROXY: '192.0.2.1' })
    expect(statuses(found)).toEqual({ ...allWell, 'proxy.trust': 'fail' })
    expect(found['proxy.trust']?.fix).toBe('TRUST_PROXY=127.0.0.1')
  })

  it('names a proxy that passes on forged addresses, and one that tells none', async () => {
    const forged = await lookBehind({ request: (headers) => ({ ...headers, via: '1.1 front' }) })
    expect(forged['proxy.trust']).toMatchObject({
      status: 'fail',
      summary: expect.stringContaining('anybody can claim any address'),
    })
    const silent = await lookBehind({ request: (headers) => without(headers, 'x-forwarded-for') })
    expect(silent['proxy.trust']).toMatchObject({
      status: 'warn',
      summary: expect.stringContaining('sends no X-Forwarded-For'),
    })
  })

  it('names a proxy that speaks of another scheme than BASE_URL', async () => {
    const found = await lookBehind({
      request: (headers) => ({ ...appendClient(headers), 'x-forwarded-proto': 'https' }),
    })
    expect(found['proxy.trust']).toMatchObject({
      status: 'warn',
      summary: expect.stringContaining('X-Forwarded-Proto: https'),
    })
  })

  it('names trust in everybody who connects directly', async () => {
    const found = await lookAtFront({ BASE_URL: `http://127.0.0.1:${port}`, TRUST_PROXY: '127.0.0.0/8' })
    expect(found['proxy.trust']).toMatchObject({ status: 'warn', fix: 'TRUST_PROXY=none' })
  })

  it('names a BASE_URL where nobody listens, and skips what needs it', async () => {
    const found = await lookAtFront({ BASE_URL: nowhere })
    expect(found['base-url']).toMatchObject({
      status: 'fail',
      summary: `${nowhere} cannot be reached: nobody listens there (ECONNREFUSED).`,
      fix: expect.stringContaining(`127.0.0.1:${port}`),
    })
    expect(found['proxy.headers']?.status).toBe('skip')
  })

  it('sends everybody else away meanwhile, health checks too', async () => {
    const echo = await startEcho({ host: '127.0.0.1', port }, new URL(nowhere))
    cleanUp.push(async () => echo?.close())
    for (const target of ['/', '/readyz', '/session?doctor=', `/session?doctor=${'0'.repeat(32)}`]) {
      const { status, headers } = await fetch(`http://127.0.0.1:${port}${target}`)
      expect([target, status, headers.get('retry-after')]).toEqual([target, 503, '5'])
    }
    expect(echo?.arrival()).toBeUndefined()
  })
})

describe('with the port taken, doctor', () => {
  it('concludes from the answers of a running gateway what passes', async () => {
    const gateway = await startGateway({})
    const found = await lookAtFront({ BASE_URL: gateway })
    expect(statuses(found)).toEqual({
      'base-url': 'pass',
      'proxy.headers': 'pass',
      'proxy.large-headers': 'skip',
      'proxy.trust': 'skip',
    })
    expect(found['base-url']?.summary).toMatch(/leads to a running gateway/)
  })

  it.each([
    ['Origin', ['origin']],
    ['Sec-Fetch-*', ['sec-fetch-']],
    ['X-CSRF', ['x-csrf']],
    ['Cookie', ['cookie']],
  ])('concludes that a proxy before the running gateway loses %s', async (name, prefixes) => {
    const proxy = await startFrontProxy(port, { request: (headers) => without(headers, ...prefixes) })
    cleanUp.push(proxy.stop)
    await startGateway({ BASE_URL: proxy.origin })
    const found = await lookAtFront({ BASE_URL: proxy.origin })
    expect(found['proxy.headers']?.summary).toContain(`does not pass ${name}:`)
  })

  it('says that another program answers', async () => {
    const server = createServer((_request, response) => response.end('something else'))
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    cleanUp.push(() => new Promise((resolve) => server.close(resolve)))
    const found = await lookAtFront({ BASE_URL: `http://127.0.0.1:${port}` })
    expect(found['base-url']).toMatchObject({
      status: 'fail',
      summary: expect.stringMatching(/answers 200, but not from a gateway/),
      fix: expect.stringMatching(/^Another program holds 127\.0\.0\.1:/),
    })
  })
})

/** A gateway in this process, on the port of the test; returns its own `BASE_URL`. */
async function startGateway(env: Readonly<Record<string, string>>): Promise<string> {
  const baseUrl = `http://127.0.0.1:${port}`
  const settings = {
    ...minimalEnv,
    ISSUER_URL: nowhere,
    API_URL: nowhere,
    BASE_URL: baseUrl,
    LOG_LEVEL: 'silent',
    ...env,
  }
  const gateway = await createGateway(loadConfig(settings))
  await gateway.listen({ port, host: '127.0.0.1' })
  cleanUp.push(() => gateway.close())
  return baseUrl
}
