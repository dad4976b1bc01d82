import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { eventually } from '../../support/eventually.ts'
import { type Crowd, gather } from '../support/crowd.ts'
import { baseUrl, cookie, routeTo, send, startProxy, type TestProxy } from '../support/harness.ts'

let upstream: Upstream
let proxy: TestProxy
const crowds: Crowd[] = []

beforeEach(async () => {
  upstream = await startUpstream()
  upstream.on('/events', (response) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders(),
  )
  upstream.onWebSocket(() => undefined)
  const places = { maxInFlight: 100, maxInFlightPerSession: 10 }
  proxy = await startProxy({
    routes: [
      routeTo(upstream.origin, places),
      routeTo(upstream.origin, { prefix: '/maybe', auth: 'optional', ...places }),
      routeTo(upstream.origin, { prefix: '/open', auth: 'none', ...places }),
    ],
    trustProxy: ['127.0.0.1'],
    maxWebsocketsPerSession: 1_000,
  })
})
afterEach(async () => {
  for (const crowd of crowds.splice(0)) await crowd.leave()
  await proxy.stop()
  await upstream.stop()
})

const from = (address: string): string => `x-forwarded-for: ${address}\r\n`
const session = `cookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n`
const events = (prefix: string, headers: string): string =>
  `GET ${prefix}/events HTTP/1.1\r\nhost: x\r\n${headers}\r\n`
const socket = (prefix: string, headers: string): string =>
  `GET ${prefix}/socket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: ${baseUrl.origin}\r\n${headers}\r\n`

async function crowdOf(size: number, request: string): Promise<readonly number[]> {
  const crowd = await gather(proxy.port, size, () => request)
  crowds.push(crowd)
  await eventually(() => expect(crowd.received().every((text) => text.includes('\r\n\r\n'))).toBe(true))
  return crowd.received().map((text) => Number(text.slice(9, 12)))
}

const count = (statuses: readonly number[], status: number): number =>
  statuses.filter((each) => each === status).length

describe('one caller holds no more than its share of the places', () => {
  it.each([
    ['a session with event streams', '/api', events, session + from('203.0.113.1'), 200],
    ['a session with WebSockets', '/api', socket, `cookie: ${cookie}\r\n${from('203.0.113.1')}`, 101],
    ['a session on an optional route', '/maybe', events, session + from('203.0.113.1'), 200],
    [
      'an address on an optional route',
      '/maybe',
      events,
      `sec-fetch-site: same-origin\r\n${from('203.0.113.1')}`,
      200,
    ],
    ['an address with WebSockets on an optional route', '/maybe', socket, from('203.0.113.1'), 101],
    ['an address on an open route', '/open', events, from('203.0.113.1'), 200],
    ['an address with WebSockets on an open route', '/open', socket, from('203.0.113.1'), 101],
  ])('%s', async (_who, prefix, request, headers, status) => {
    const statuses = await crowdOf(30, request(prefix, headers))
    expect(count(statuses, status)).toBe(10)
    expect(count(statuses, 429)).toBe(20)
    const own = { 'sec-fetch-site': 'same-origin' }
    const refused = await send(proxy.port, `${prefix}/x`, {
      headers: headers.includes('cookie') ? { ...own, cookie } : { ...own, 'x-forwarded-for': '203.0.113.1' },
    })
    expect(refused.status).toBe(429)
    expect(refused.json()).toMatchObject({ code: 'rate_limited', detail: expect.stringContaining('at once') })
    expect(refused.headers['retry-after']).toBe('1')
    // Everybody else goes on, and so does the caller once it has let go.
    if (prefix !== '/api') {
      const other = { ...own, 'x-forwarded-for': '203.0.113.2' }
      expect((await send(proxy.port, `${prefix}/x`, { headers: other })).status).toBe(200)
    }
    for (const crowd of crowds.splice(0)) await crowd.leave()
    await eventually(async () =>
      expect(
        (
          await send(proxy.port, `${prefix}/x`, {
            headers: headers.includes('cookie')
              ? { ...own, cookie }
              : { ...own, 'x-forwarded-for': '203.0.113.1' },
          })
        ).status,
      ).toBe(200),
    )
  })

  it('also with ten connections and a hundred pipelined streams on each', async () => {
    const crowd = await gather(proxy.port, 10, () => events('/api', session).repeat(100))
    crowds.push(crowd)
    await eventually(() => expect(upstream.requests).toHaveLength(10))
    const other = { 'sec-fetch-site': 'same-origin', 'x-forwarded-for': '203.0.113.2' }
    expect((await send(proxy.port, '/open/x', { headers: other })).status).toBe(200)
  })

  it('but who cannot be told from others is not limited: the places are', async () => {
    const statuses = await crowdOf(120, events('/open', ''))
    expect(count(statuses, 200)).toBe(100)
    expect(count(statuses, 503)).toBe(20)
  })
})
