import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { baseUrl, ownFetch, routeTo, send, sendRaw, startProxy, type TestProxy } from '../support/harness.ts'

let upstream: Upstream
let proxy: TestProxy
/** An upstream that answers with bytes of the test. */
const raw = { answer: '', received: '', port: 0 }
const rawServer = createServer((socket) => {
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => {
    raw.received += chunk.toString('latin1')
    if (raw.received.endsWith('\r\n\r\n') || raw.received.endsWith('hi')) socket.end(raw.answer, 'latin1')
  })
})

beforeAll(async () => {
  upstream = await startUpstream()
  await new Promise<void>((resolve) => rawServer.listen(0, '127.0.0.1', resolve))
  raw.port = (rawServer.address() as AddressInfo).port
  proxy = await startProxy({
    routes: [
      routeTo(`${upstream.origin}/v1`),
      routeTo(`${upstream.origin}/v1`, {
        prefix: '/lax',
        activeContent: true,
        allowSetCookies: ['theme', 'coatcheck'],
        allowRedirectHosts: ['files.example', 'files.example:8443', 'cdn.example:443'],
      }),
      routeTo(`${upstream.origin}/v1`, { prefix: '/open', auth: 'none' }),
      routeTo(`http://127.0.0.1:${raw.port}`, { prefix: '/raw', auth: 'none' }),
    ],
  })
})

afterAll(async () => {
  await proxy.stop()
  await upstream.stop()
  await new Promise((resolve) => rawServer.close(resolve))
})

async function answerWith(headers: string[], status = 200, target = '/api/x') {
  upstream.on('/v1/x', (response) => void response.writeHead(status, headers).end())
  return send(proxy.port, target)
}

const all = (answer: { rawHeaders: readonly string[] }, name: string): readonly string[] =>
  answer.rawHeaders.filter((_, at) => at % 2 === 1 && answer.rawHeaders[at - 1]?.toLowerCase() === name)

describe('dropped from an answer', () => {
  it.each([
    ['set-cookie', 'a=1'],
    ['set-cookie', '__Host-Http-coatcheck=evil'],
    ['access-control-allow-origin', '*'],
    ['access-control-allow-credentials', 'true'],
    ['Access_Control_Allow_Origin', '*'],
    ['Content_Security_Policy', 'x'],
    ['Set_Cookie', 'a=1'],
    ['clear-site-data', '"*"'],
    ['strict-transport-security', 'max-age=0'],
    ['service-worker-allowed', '/'],
    ['alt-svc', 'h3=":443"'],
    ['server', 'secret/1.0'],
    ['x-powered-by', 'Secret'],
    ['proxy-authenticate', 'Basic'],
    ['proxy-connection', 'close'],
    ['te', 'trailers'],
    ['trailer', 'x'],
    ['upgrade', 'h2c'],
    ['surrogate-control', 'max-age=60'],
    ['cdn-cache-control', 'max-age=60'],
    ['cloudflare-cdn-cache-control', 'max-age=60'],
    ['edge-control', 'x'],
    ['cdn_cache_control', 'max-age=60'],
    ['content-security-policy-report-only', 'report-uri https://evil.example'],
    ...droppedNames.map((name): [string, string] => [name, 'x']),
  ])('%s: %s', async (name, value) => {
    const answer = await answerWith([name, value, 'x-kept', 'yes'])
    expect(answer.headers['x-kept']).toBe('yes')
    expect(all(answer, name.toLowerCase())).toEqual([])
  })

  it('is what its Connection lists', async () => {
    const answer = await answerWith(['connection', 'x-private, keep-alive', 'x-private', '1', 'x-kept', '1'])
    expect([answer.headers['x-private'], answer.headers['x-kept']]).toEqual([undefined, '1'])
  })
})

const droppedNames = [
  ...'nel report-to reporting-endpoints set-login accept-ch critical-ch use-as-dictionary refresh Refresh REFRESH'.split(
    ' ',
  ),
  ...'speculation-rules origin-trial critical-origin-trial activate-storage-access timing-allow-origin'.split(
    ' ',
  ),
  ...'observe-browsing-topics public-key-pins expect-ct x-sendfile X_Sendfile x-reproxy-url x-reproxy-file'.split(
    ' ',
  ),
  ...'x-lighttpd-send-file x-accel-redirect X_Accel_Redirect x-accel-limit-rate x-accel-buffering'.split(' '),
  ...'x-accel-expires x-accel-charset secure-session-registration Secure_Session_Registration'.split(' '),
  ...'secure-session-challenge sec-session-registration sec-session-challenge set-cookie2'.split(' '),
  ...'attribution-reporting-register-source attribution-reporting-register-trigger onion-location'.split(' '),
  ...'shared-storage-write ad-auction-signals ad-auction-allowed x-envoy-immediate-health-check-fail'.split(
    ' ',
  ),
]

describe('kept in an answer', () => {
  it('is everything else, in order, with status text and duplicates', async () => {
    upstream.on(
      '/v1/x',
      (response) =>
        void response.writeHead(299, 'Own Words', ['X-A', '1', 'x-a', '2', 'ETag', '"e"']).end('body'),
    )
    const answer = await send(proxy.port, '/api/x')
    expect([answer.status, answer.message, answer.body]).toEqual([299, 'Own Words', 'body'])
    expect(answer.rawHeaders.slice(0, 6)).toEqual(['X-A', '1', 'x-a', '2', 'ETag', '"e"'])
    expect(all(answer, 'x-content-type-options')).toEqual(['nosniff'])
  })

  it('are cookies that the route allows, never ours', async () => {
    const answer = await answerWith(
      [
        'set-cookie',
        'theme=1; Path=/',
        'set-cookie',
        'coatcheck=evil',
        'set-cookie',
        'other=1',
        'set-cookie',
        ' Coatcheck=x',
      ],
      200,
      '/lax/x',
    )
    expect(all(answer, 'set-cookie')).toEqual(['theme=1; Path=/'])
  })

  it.each([
    ['Basic realm="x"', []],
    ['Negotiate', []],
    ['NTLM', []],
    ['Digest realm="a, Bearer", nonce="n"', []],
    ['Bearer realm="api, Basic x", error="e"', ['Bearer realm="api, Basic x", error="e"']],
    [
      'Basic realm="x", Bearer error="e", charset = "UTF-8", Negotiate',
      ['Bearer error="e", charset = "UTF-8"'],
    ],
    ['Bearer realm="open', []],
  ])('of www-authenticate %s is %j', async (value, expected) => {
    expect(all(await answerWith(['www-authenticate', value], 403), 'www-authenticate')).toEqual(expected)
  })
})

describe('caching of guarded answers', () => {
  it.each([
    [[], 'no-store'],
    [['etag', '"x"'], 'private, no-cache'],
    [['last-modified', 'Sat, 01 Jan 2022 00:00:00 GMT'], 'private, no-cache'],
    [['expires', 'Sat, 01 Jan 2099 00:00:00 GMT'], 'private'],
    [['cache-control', 'public, max-age=60'], 'max-age=60, private'],
    [['cache-control', 'PUBLIC', 'cache-control', 'S-MaxAge=5, max-age=1'], 'max-age=1, private'],
    [['cache-control', 'private="x, public", max-age=1'], 'max-age=1, private'],
    [['cache-control', 'no-store'], 'no-store, private'],
    [['cache-control', 'max-age="60'], 'no-store'],
  ])('%j becomes %s', async (headers, expected) => {
    expect(all(await answerWith(headers), 'cache-control')).toEqual([expected])
  })

  it.each([
    [[], 'Cookie'],
    [['vary', 'Accept'], 'Accept, Cookie'],
    [['vary', 'accept', 'vary', 'cookie'], 'accept, cookie'],
    [['vary', '*'], '*'],
  ])('varies by the cookie: %j becomes %s', async (headers, expected) => {
    expect(all(await answerWith(headers), 'vary')).toEqual([expected])
  })

  it('leaves routes without sessions alone', async () => {
    const answer = await answerWith(
      ['cache-control', 'public, s-maxage=9', 'cdn-cache-control', 'max-age=1', 'vary', 'Accept'],
      200,
      '/open/x',
    )
    expect([
      answer.headers['cache-control'],
      answer.headers['cdn-cache-control'],
      answer.headers.vary,
    ]).toEqual(['public, s-maxage=9', 'max-age=1', 'Accept'])
  })
})

describe('active content', () => {
  const policyOf = async (headers: string[], target = '/api/x') =>
    all(await answerWith(headers, 200, target), 'content-security-policy')

  it.each([
    'text/html',
    'Text/HTML; charset=utf-8',
    'text/html(x)',
    'text/html(',
    'text/plain(x)',
    'image/svg+xml',
    'image/svg+xml(x)',
    'image/x-svg',
    'IMAGE/SVG+XML',
    'video/x+xml',
    'application/xhtml+xml',
    'application/xml',
    'text/xml',
    'text/xml(x)',
    'text/xsl',
    'application/atom+xml',
    'application/json, text/html',
    'application/json;x=", text/html',
    'text/plain, text/html(',
    'text/plain;charset=utf-8, image/svg+xml',
    'multipart/x-mixed-replace; boundary=x',
    'multipart/related',
    'message/rfc822',
    'text/javascript',
    'text/css',
    'text/htmlx',
    'text',
    '/',
    '*/*',
    'text/',
    'a/b/c',
    'text/plain\u00e9',
    'application/unknown',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    '',
  ])('as %j is sandboxed, on every route', async (type) => {
    for (const target of ['/api/x', '/open/x']) {
      expect((await policyOf(['content-type', type], target))[0]).toMatch(/^sandbox; default-src 'none'/)
    }
  })

  it('of no type, of two, or with a type that Connection takes away is sandboxed', async () => {
    for (const headers of [
      [],
      ['content-type', 'application/json', 'content-type', 'text/html'],
      ['content-type', 'application/json', 'connection', 'content-type'],
      ['content_type', 'application/json'],
    ]) {
      expect((await policyOf(headers)).join()).toMatch(/^sandbox/)
    }
  })

  it.each([
    'application/json',
    'APPLICATION/JSON ; charset=utf-8',
    'application/problem+json',
    'application/vnd.api+json; version=1',
    'application/x-ndjson',
    'text/plain',
    'text/plain; charset="utf-8"',
    'text/csv; header=present',
    'text/event-stream',
    'image/png',
    'image/webp',
    'audio/mpeg',
    'video/mp4',
    'font/woff2',
    'application/pdf',
    'application/octet-stream',
    'application/zip',
    'application/gzip',
  ])('as %s is none', async (type) => {
    expect(await policyOf(['content-type', type])).toEqual([])
  })

  it('with a policy of its own gets ours beside it, whatever it says', async () => {
    const html = ['content-type', 'text/html']
    for (const own of ["default-src 'self'", 'img-src *', 'sandbox allow-scripts', ' ', 'x, y']) {
      const policies = await policyOf([...html, 'content-security-policy', own])
      expect(policies.at(-1)).toMatch(/^sandbox; default-src 'none'/)
      if (own.trim() !== '') expect(policies[0]).toBe(own)
    }
    const taken = ['content-security-policy', 'x', 'connection', 'content-security-policy, close']
    expect(await policyOf([...html, ...taken])).toEqual([expect.stringMatching(/^sandbox/)])
    expect(await policyOf([...html, 'content_security_policy', 'x'])).toEqual([
      expect.stringMatching(/^sandbox/),
    ])
  })

  it('cannot have the browser report where it was opened from', async () => {
    const own = "default-src 'self'; report-uri https://evil.example; Report-To x, report-uri /y, img-src *"
    const policies = await policyOf(['content-type', 'text/html', 'content-security-policy', own])
    expect(policies).toEqual(["default-src 'self', img-src *", expect.stringMatching(/^sandbox/)])
    expect(await policyOf(['content-type', 'text/html', 'content-security-policy', own], '/lax/x')).toEqual([
      own,
    ])
  })

  it('that a browser has stored keeps its policy when it is validated', async () => {
    const policiesOf304 = async (headers: string[]) =>
      all(await answerWith(headers, 304, '/api/x'), 'content-security-policy')
    expect(await policiesOf304(['etag', '"x"'])).toEqual([])
    expect(await policiesOf304(['content-security-policy', 'img-src *'])).toEqual([])
    expect(
      await policiesOf304(['content-security-policy', 'img-src *', 'content-type', 'text/plain']),
    ).toEqual([])
    expect(
      (await policiesOf304(['content-security-policy', 'img-src *', 'content-type', 'text/html'])).join(),
    ).toMatch(/^sandbox/)
  })

  it('is left alone where the route says so', async () => {
    expect(await policyOf(['content-type', 'text/html'], '/lax/x')).toEqual([])
  })
})

describe('bytes that are no ASCII', () => {
  const name = 'attachment; filename="r\u00c3\u00a9sum\u00e9.pdf"'
  it.each([
    ['after the length', ['content-length', '2', 'content-disposition', name]],
    ['before the length', ['content-disposition', name, 'content-length', '2']],
    ['without a length', ['content-disposition', name]],
    ['in capitals', ['Content-Length', '2', 'Content-Disposition', name]],
    [
      'beside other headers',
      ['content-length', '2', 'x-a', 'caf\u00e9', 'content-disposition', name, 'link', '<\u00ff>'],
    ],
  ])('%s pass as they came', async (_what, headers) => {
    raw.answer = `HTTP/1.1 200 OK\r\n${headers.map((each, at) => (at % 2 === 0 ? `${each}: ` : `${each}\r\n`)).join('')}connection: close\r\n\r\nok`
    const text = await sendRaw(
      proxy.port,
      `GET /raw/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      () => false,
    )
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
    for (const [at, value] of headers.entries()) {
      if (at % 2 === 1 && value !== '2') expect(text.toLowerCase()).toContain(`: ${value}\r\n`.toLowerCase())
    }
    expect(text.includes('content-length: 2')).toBe(headers.includes('2'))
  })

  it('pass to the upstream as they came', async () => {
    const before = raw.received.length
    raw.answer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok'
    const lines = `content-disposition: ${name}\r\nX-B: caf\u00e9 \u00fe\u00ff\r\ncontent-length: 2`
    await sendRaw(
      proxy.port,
      `POST /raw/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${lines}\r\n\r\nhi`,
      () => false,
    )
    const arrived = raw.received.slice(before)
    expect(arrived).toContain(`content-disposition: ${name}\r\n`)
    expect(arrived).toContain('X-B: caf\u00e9 \u00fe\u00ff\r\n')
  })
})

describe('the media type of a request', () => {
  it.each([
    '',
    'undefined',
    '; charset=binary',
    'text',
    'a/b/c',
    'application/json',
    'text/html(',
    '*/*',
    ';',
    ',',
  ])('%j passes, with its body, on every route and for every method with one', async (type) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const before = upstream.requests.length
      const headers = [...Object.entries(ownFetch).flat(), 'content-length', '4', 'content-type', type]
      const answer = await send(proxy.port, '/api/echo', { method, headers, body: 'body' })
      expect([method, answer.status]).toEqual([method, 200])
      const arrived = upstream.requests[before]
      expect(arrived?.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1]).toBe(type)
      expect((await arrived?.body)?.toString()).toBe('body')
    }
  })

  it('may be absent', async () => {
    const before = upstream.requests.length
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      expect(
        (
          await send(proxy.port, '/api/echo', {
            method,
            body: 'body',
            headers: { ...ownFetch, 'content-length': '4' },
          })
        ).status,
      ).toBe(200)
    }
    const types = upstream.requests
      .slice(before)
      .flatMap(({ headers }) => headers.filter(([name]) => name === 'content-type'))
    expect(types).toEqual([])
  })
})

describe('a redirect', () => {
  const redirect = (location: string, target = '/api/x', status = 302) =>
    answerWith(['location', location], status, target)

  it.each([
    ['/v1/y?z=1#f', '/api/y?z=1#f'],
    ['y', '/api/y'],
    ['./y', '/api/y'],
    ['?q', '/api/x?q'],
    ['ORIGIN/v1/y', '/api/y'],
    ['ORIGIN/v1', '/api'],
    ['/v1/caf\u00c3\u00a9', '/api/caf%C3%A9'],
    ['/v1//evil.example', '/api//evil.example'],
    ['https://127.0.0.1:PORT/v1/y', '/api/y'],
    ['https://127.0.0.1/v1/y?z#f', '/api/y?z#f'],
    ['http://127.0.0.1/v1/y', '/api/y'],
    ['http://127.0.0.1:9999/v1/orders/', '/api/orders/'],
    ['https://127.0.0.1:9999/v1', '/api'],
    ['//127.0.0.1:9999/v1/y', '/api/y'],
    ['http://127.0.0.1:9999/api/y', 'http://127.0.0.1:9999/api/y'],
    ['http://127.0.0.1:9999/v1x', 'http://127.0.0.1:9999/v1x'],
    ['https://127.0.0.1:9999/done?x#y', 'http://127.0.0.1:9999/done?x#y'],
  ])('to %s leads to %s, and so does 201', async (location, expected) => {
    const written = location.replace('ORIGIN', upstream.origin).replace('PORT', `${upstream.port}`)
    for (const status of [302, 201]) {
      expect((await redirect(written, '/api/x', status)).headers.location).toBe(expected)
    }
    const described = await answerWith(['content-location', written])
    expect(described.headers['content-location']).toBe(expected)
  })

  it('to our own origin, as an API that reads x-forwarded-host writes it, passes', async () => {
    expect((await redirect(`${baseUrl.origin}/done`)).headers.location).toBe(`${baseUrl.origin}/done`)
  })

  it.each([
    'https://evil.example/x',
    '//evil.example/x',
    '\\\\evil.example',
    '/\\evil.example',
    'http:\\\\evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    'ORIGIN.evil.example/',
    'http://user:pw@UPSTREAM/v1/x',
    'http://user@UPSTREAM/v1/x',
    'http://:pw@UPSTREAM/v1/x',
    '/elsewhere',
    '/v1x',
    '../elsewhere',
    '/v1/../elsewhere',
    '/v1/%2e%2e/elsewhere',
    'http://files.example/x',
    'http://',
    'ht\ttps://evil.example',
  ])('to %s is refused, and names no host', async (location) => {
    const written = location
      .replace('ORIGIN', upstream.origin)
      .replace('UPSTREAM', `127.0.0.1:${upstream.port}`)
    const answer = await redirect(written)
    expect([answer.status, answer.json().code, answer.headers.location]).toEqual([
      502,
      'upstream_redirect_refused',
      undefined,
    ])
    expect(answer.body).not.toMatch(/evil|127\.0\.0\.1|files/)
  })

  it('to a host that the route allows passes, over https or where we are on http ourselves', async () => {
    for (const location of [
      'https://files.example/a?sig=1',
      'https://cdn.example/a',
      'https://files.example:8443/a',
      'http://files.example/a',
    ]) {
      expect((await redirect(location, '/lax/x')).headers.location).toBe(location)
    }
    expect((await redirect('https://files.example:9/a', '/lax/x')).status).toBe(502)
  })

  it('that is none keeps its answer and loses the foreign address', async () => {
    const answer = await redirect('https://evil.example/created', '/api/x', 201)
    expect([answer.status, answer.headers.location]).toEqual([201, undefined])
  })

  it('does not make an error of a content-location: what leads elsewhere is left out', async () => {
    for (const value of ['http://orders.internal:8080/v1/y', '/elsewhere', 'data:x', 'http://']) {
      const answer = await answerWith(['content-location', value, 'Content_Location', value])
      expect([answer.status, all(answer, 'content-location'), all(answer, 'content_location')]).toEqual([
        200,
        [],
        [],
      ])
    }
  })
})
