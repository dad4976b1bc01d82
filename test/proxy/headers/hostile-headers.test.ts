import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ArrivedRequest, startUpstream, type Upstream, valuesOf } from '../../support/api/upstream.ts'
import { cookie, routeTo, sendRaw, sessionId, startProxy, type TestProxy } from '../support/harness.ts'
import { forgeable } from './hostile-lists.ts'

let upstream: Upstream
let proxy: TestProxy

beforeAll(async () => {
  upstream = await startUpstream()
  proxy = await startProxy({
    routes: [
      routeTo(upstream.origin, { forwardCookies: ['theme', 'coatcheck', 'coatcheck-login-12345678'] }),
      routeTo(upstream.origin, { prefix: '/optional', auth: 'optional' }),
    ],
  })
})

afterAll(async () => {
  await proxy.stop()
  await upstream.stop()
})

// As CGI, and PHP's own server, make variables of names.
const canonical = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')

async function sendHeaders(
  lines: readonly string[],
  start = 'GET /api/x HTTP/1.1',
): Promise<{ status: number; text: string; arrived: readonly ArrivedRequest[] }> {
  const before = upstream.requests.length
  const own = [`cookie: ${cookie}`, 'sec-fetch-site: same-origin', 'connection: close']
  const text = await sendRaw(proxy.port, `${[start, 'host: x', ...own, ...lines].join('\r\n')}\r\n\r\n`)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
    text,
    arrived: upstream.requests.slice(before),
  }
}

const spellings = (name: string): readonly string[] => [
  name,
  name.toUpperCase(),
  name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase()),
  name.replaceAll('-', '_'),
  name.replaceAll('-', '_').toUpperCase(),
  ...[..."!#$%&'*+.^`|~"].map((mark) => name.replaceAll('-', mark)),
]

describe('a forged header', () => {
  it.each(forgeable.map((name) => [name]))('%s does not reach the upstream in any spelling', async (name) => {
    // One's own origin is the only one the guard lets by.
    const value = name === 'origin' ? 'http://127.0.0.1:9999' : 'forged'
    for (const spelled of new Set(spellings(name))) {
      const { status, arrived } = await sendHeaders([`${spelled}: ${value}`])
      expect([spelled, status]).toEqual([spelled, 200])
      const values =
        arrived[0]?.headers.filter(([each]) => canonical(each) === name).map(([, each]) => each) ?? []
      expect(values.join()).not.toContain(value)
    }
  })

  it('twice, in two spellings, leaves exactly one authorization: ours', async () => {
    const { arrived } = await sendHeaders([
      'Authorization: Bearer a',
      'AUTHORIZATION: Bearer b',
      'authorization: Basic c',
    ])
    expect(valuesOf(arrived[0]!, 'authorization')).toEqual(['Bearer token-1'])
  })
})

describe('what Connection lists', () => {
  it.each(['authorization', 'x-forwarded-for', 'x-forwarded-host', 'x-request-id', 'traceparent', 'host'])(
    'cannot take away our %s',
    async (name) => {
      const { arrived } = await sendHeaders([`connection: close, ${name}`])
      expect(valuesOf(arrived[0]!, name)).toHaveLength(1)
    },
  )

  it('does not pass, in any spelling', async () => {
    const { arrived } = await sendHeaders([
      'connection: close, X-Private,x-other',
      'x-private: 1',
      'X_Other: 2',
      'x-kept: 3',
    ])
    const names = arrived[0]?.headers.map(([name]) => canonical(name)) ?? []
    expect(names).toContain('x-kept')
    expect(names).not.toContain('x-private')
    expect(names).not.toContain('x-other')
  })
})

describe('a cookie', () => {
  it.each([
    [`theme=dark; ${cookie}`, ['theme=dark']],
    [`${cookie}; other=1`, []],
    [`${cookie}; coatcheck-login-12345678=x; theme=1; theme=2`, ['theme=1; theme=2']],
    [`${cookie}; COATCHECK=x; __Host-Http-coatcheck=y; __host-http-coatcheck-logout-1=z`, []],
    [`${cookie}; =coatcheck=y; coatcheck`, []],
  ])('%s reaches the upstream as %j', async (sent, expected) => {
    const before = upstream.requests.length
    const text = await sendRaw(
      proxy.port,
      `GET /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${sent}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\r\n`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 200/)
    expect(valuesOf(upstream.requests[before]!, 'cookie')).toEqual(expected)
  })

  it.each([
    `${cookie}; coatcheck=${'T'.repeat(43)}`,
    `coatcheck=${'T'.repeat(43)}; ${cookie}`,
    `coatcheck=${sessionId}x`,
    'coatcheck=',
    'coatcheck="x"',
    `coatcheck=${sessionId.slice(1)}%41`,
  ])('%s is no session: nothing is looked up', async (sent) => {
    const before = proxy.sessions.lookups
    const text = await sendRaw(
      proxy.port,
      `GET /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${sent}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\r\n`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 401 [\s\S]*session_missing/)
    expect(proxy.sessions.lookups).toBe(before)
  })
})

describe('the guard', () => {
  it.each([
    ['no proof', []],
    ['a site next door', ['sec-fetch-site: same-site']],
    ['a foreign site', ['sec-fetch-site: cross-site']],
    ['a typed address', ['sec-fetch-site: none']],
    ['two sites', ['sec-fetch-site: same-origin', 'sec-fetch-site: same-origin']],
    ['two sites in one', ['sec-fetch-site: same-origin, same-origin']],
    ['a foreign origin with the header', ['x-csrf: 1', 'origin: https://evil.example']],
    ['a null origin', ['sec-fetch-site: same-origin', 'origin: null']],
    ['an empty origin', ['sec-fetch-site: same-origin', 'origin:']],
    [
      'our origin twice',
      ['sec-fetch-site: same-origin', 'origin: http://127.0.0.1:9999', 'origin: http://127.0.0.1:9999'],
    ],
    ['our origin with a path', ['x-csrf: 1', 'origin: http://127.0.0.1:9999/']],
    ['another value of the header', ['x-csrf: true']],
    ['an underscore twin of the header', ['x_csrf: 1']],
    ['a foreign site with the header', ['x-csrf: 1', 'sec-fetch-site: cross-site']],
  ])('refuses %s before any lookup', async (_what, lines) => {
    for (const path of ['/api/x', '/optional/x']) {
      const before = [upstream.requests.length, proxy.sessions.lookups]
      const text = await sendRaw(
        proxy.port,
        `${[`GET ${path} HTTP/1.1`, 'host: x', `cookie: ${cookie}`, 'connection: close', ...lines].join('\r\n')}\r\n\r\n`,
      )
      expect(text).toMatch(/^HTTP\/1\.1 403 [\s\S]*csrf_rejected/)
      expect([upstream.requests.length, proxy.sessions.lookups]).toEqual(before)
    }
  })
})

describe('a malformed or smuggling request', () => {
  it.each([
    ['both lengths', ['content-length: 5', 'transfer-encoding: chunked'], '0\r\n\r\n'],
    ['two lengths', ['content-length: 5', 'content-length: 6'], 'hello'],
    ['a signed length', ['content-length: +5'], 'hello'],
    ['a length in hexadecimal', ['content-length: 0x5'], 'hello'],
    ['a list of lengths', ['content-length: 5, 5'], 'hello'],
    ['an unknown transfer coding', ['transfer-encoding: xchunked'], '0\r\n\r\n'],
    ['chunked twice', ['transfer-encoding: chunked, chunked'], '0\r\n\r\n'],
    ['chunked not last', ['transfer-encoding: chunked, gzip'], '0\r\n\r\n'],
    ['a space before the colon', ['transfer-encoding : chunked'], '0\r\n\r\n'],
    ['a folded header', ['x-a: b', ' folded'], ''],
    ['a bare line feed', ['x-a: b\nauthorization: evil'], ''],
    ['a bare carriage return', ['x-a: b\rauthorization: evil'], ''],
    ['a NUL in a value', ['x-a: b\0c'], ''],
    ['a name with a space', ['x a: b'], ''],
    ['an empty name', [': b'], ''],
    ['a name in brackets', ['x[a]: b'], ''],
    ['a negative chunk', ['transfer-encoding: chunked'], '-1\r\nx\r\n0\r\n\r\n'],
    ['a huge chunk', ['transfer-encoding: chunked'], 'fffffffffffffffff\r\nx\r\n'],
    ['a chunk with a bare line feed', ['transfer-encoding: chunked'], '1\nx\n0\n\n'],
  ])('with %s is refused, and what follows it is no request', async (_what, lines, body) => {
    const before = upstream.requests.length
    const head = [
      'POST /api/x HTTP/1.1',
      'host: x',
      `cookie: ${cookie}`,
      'sec-fetch-site: same-origin',
      ...lines,
    ].join('\r\n')
    const smuggled = `GET /api/smuggled HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n\r\n`
    const text = await sendRaw(proxy.port, `${head}\r\n\r\n${body}${smuggled}`)
    expect(text).not.toMatch(/^HTTP\/1\.1 [25]/)
    const targets = upstream.requests.slice(before).map((request) => request.target)
    expect(targets).not.toContain('/smuggled')
  })

  it.each([
    ['a twin of the length', 'content_length: 3', 'content-length'],
    ['a twin of the coding', 'transfer_encoding: chunked', 'transfer-encoding'],
  ])('with %s arrives without it', async (_what, line, name) => {
    const { status, arrived } = await sendHeaders([line])
    expect(status).toBe(200)
    expect(arrived[0]?.headers.filter(([each]) => canonical(each) === name)).toEqual([])
  })

  it('with headers that are too large is 431', async () => {
    const { status, arrived } = await sendHeaders([`x-large: ${'x'.repeat(40_000)}`])
    expect([status, arrived.length]).toEqual([431, 0])
  })

  it('without a host is 400', async () => {
    const text = await sendRaw(
      proxy.port,
      `GET /api/x HTTP/1.1\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\r\n`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 400/)
  })

  it('with a foreign host reaches the upstream under the upstream’s own name', async () => {
    await sendRaw(
      proxy.port,
      `GET /api/x HTTP/1.1\r\nhost: evil.example\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\r\n`,
    )
    const request = upstream.requests.at(-1)!
    expect(valuesOf(request, 'host')).toEqual([`127.0.0.1:${upstream.port}`])
    expect(valuesOf(request, 'x-forwarded-host')).toEqual(['127.0.0.1:9999'])
  })

  it('that loads a service worker is refused', async () => {
    const { status, arrived } = await sendHeaders(['service-worker: script'])
    expect([status, arrived.length]).toEqual([400, 0])
  })

  it('with properties of every object as names passes them as headers', async () => {
    const { status, arrived } = await sendHeaders([
      'constructor: 1',
      '__proto__: 2',
      'toString: 3',
      'hasOwnProperty: 4',
    ])
    expect(status).toBe(200)
    for (const name of ['constructor', '__proto__', 'tostring', 'hasownproperty'])
      expect(valuesOf(arrived[0]!, name)).toHaveLength(1)
  })
})

describe('what is written fresh', () => {
  it('says where the request came from', async () => {
    const { arrived } = await sendHeaders(['x-forwarded-for: 6.6.6.6'])
    const request = arrived[0]!
    expect(valuesOf(request, 'x-forwarded-for')).toEqual(['127.0.0.1'])
    expect(valuesOf(request, 'x-forwarded-proto')).toEqual(['http'])
    expect(valuesOf(request, 'x-forwarded-prefix')).toEqual(['/api'])
    expect(valuesOf(request, 'x-request-id')[0]).toMatch(/^[\w-]{16}$/)
    expect(valuesOf(request, 'traceparent')[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  })

  it('joins a valid trace with its state, and no other', async () => {
    const valid = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const joined = await sendHeaders([`traceparent: ${valid}`, 'tracestate: a=1', 'tracestate: b=2'])
    expect(valuesOf(joined.arrived[0]!, 'traceparent')).toEqual([valid])
    expect(valuesOf(joined.arrived[0]!, 'tracestate')).toEqual(['a=1', 'b=2'])
    for (const lines of [
      [`traceparent: ${valid}x`],
      [`traceparent: ${valid}`, `traceparent: ${valid}`],
      [`traceparent: ${valid.replace('b7ad6b7169203331', '0'.repeat(16))}`],
    ]) {
      const fresh = await sendHeaders([...lines, 'tracestate: a=1'])
      expect(valuesOf(fresh.arrived[0]!, 'traceparent')).not.toContain(valid)
      expect(valuesOf(fresh.arrived[0]!, 'tracestate')).toEqual([])
    }
  })

  it('believes trusted proxies, and only as far as they vouch', async () => {
    const behind = await startProxy({
      routes: [routeTo(upstream.origin)],
      trustProxy: ['127.0.0.1', '10.0.0.0/8'],
    })
    await sendRaw(
      behind.port,
      `GET /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\nx-forwarded-for: 6.6.6.6, 1.2.3.4, 10.1.1.1\r\n\r\n`,
    )
    expect(valuesOf(upstream.requests.at(-1)!, 'x-forwarded-for')).toEqual(['1.2.3.4, 10.1.1.1, 127.0.0.1'])
    await behind.stop()
  })
})
