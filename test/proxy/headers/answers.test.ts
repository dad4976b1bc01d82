import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream } from '../../support/upstream.ts'
import { baseUrl, routeTo, send, startProxy, type TestProxy } from '../support/harness.ts'

let upstream: Upstream
let proxy: TestProxy

beforeAll(async () => {
  upstream = await startUpstream()
  proxy = await startProxy({
    routes: [
      routeTo(`${upstream.origin}/v1`),
      routeTo(`${upstream.origin}/v1`, {
        prefix: '/lax',
        activeContent: true,
        allowSetCookies: ['theme', 'coatcheck'],
        allowRedirectHosts: ['files.example', 'files.example:8443'],
      }),
      routeTo(`${upstream.origin}/v1`, { prefix: '/open', auth: 'none' }),
    ],
  })
})

afterAll(async () => {
  await proxy.stop()
  await upstream.stop()
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
    ['x-accel-expires', '60'],
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
    'image/svg+xml',
    'application/xhtml+xml',
    'application/xml',
    'text/xml',
    'application/atom+xml',
    'application/json, text/html',
    'multipart/x-mixed-replace; boundary=x',
  ])('as %s is sandboxed, on every route', async (type) => {
    for (const target of ['/api/x', '/open/x']) {
      expect((await policyOf(['content-type', type], target))[0]).toMatch(/^sandbox; default-src 'none'/)
    }
  })

  it.each([
    'application/json',
    'text/plain',
    'image/png',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    'text/htmlx',
  ])('as %s is none', async (type) => {
    expect(await policyOf(['content-type', type])).toEqual([])
  })

  it('keeps a policy of its own, unless it is empty or taken away by Connection', async () => {
    const html = ['content-type', 'text/html']
    expect(await policyOf([...html, 'content-security-policy', "default-src 'self'"])).toEqual([
      "default-src 'self'",
    ])
    expect((await policyOf([...html, 'content-security-policy', ' '])).join()).toContain('sandbox')
    expect(
      (
        await policyOf([
          ...html,
          'content-security-policy',
          'x',
          'connection',
          'content-security-policy, close',
        ])
      ).join(),
    ).toContain('sandbox')
    expect((await policyOf([...html, 'content_security_policy', 'x'])).join()).toContain('sandbox')
  })

  it('is left alone where the route says so', async () => {
    expect(await policyOf(['content-type', 'text/html'], '/lax/x')).toEqual([])
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
  ])('to %s leads to %s', async (location, expected) => {
    expect((await redirect(location.replace('ORIGIN', upstream.origin))).headers.location).toBe(expected)
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
    'https://UPSTREAM/v1/x',
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
})
