import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/errors/gateway-error.ts'
import { startUpstream, type Upstream, valuesOf } from '../../support/api/upstream.ts'
import { freePort } from '../../support/ports.ts'
import { ownFetch, routeTo, send, sendRaw, startProxy, type TestProxy, tokenOf } from '../support/harness.ts'

let upstream: Upstream
let proxy: TestProxy

beforeEach(async () => {
  upstream = await startUpstream()
  proxy = await startProxy({
    routes: [
      routeTo(upstream.origin, {
        firstByteTimeoutMs: 600,
        idleTimeoutMs: 600,
        bodyLimitBytes: 1_000,
        maxInFlight: 2,
      }),
      routeTo(upstream.origin, { prefix: '/maybe', auth: 'optional' }),
      routeTo(upstream.origin, { prefix: '/open', auth: 'none', forwardAuthorization: true }),
      routeTo(`http://127.0.0.1:${await freePort()}`, { prefix: '/down' }),
    ],
  })
})

afterEach(async () => {
  await proxy.stop()
  await upstream.stop()
})

describe('an upstream that fails', () => {
  it('is 502 without its address when it refuses connections', async () => {
    const answer = await send(proxy.port, '/down/x')
    expect([answer.status, answer.json().code]).toEqual([502, 'upstream_unreachable'])
    expect(answer.body).not.toMatch(/127\.0\.0\.1|ECONN/)
  })

  it('is 504 when the first byte does not come', async () => {
    upstream.on('/slow', () => undefined)
    const answer = await send(proxy.port, '/api/slow')
    expect([answer.status, answer.json().code]).toEqual([504, 'upstream_timeout'])
    await upstream.requests[0]?.aborted
  })

  it('cuts the browser off when the body stops short', async () => {
    upstream.on('/short', (response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
      setTimeout(() => response.socket?.destroy(), 20)
    })
    await expect(send(proxy.port, '/api/short')).rejects.toThrow(/aborted/)
    expect(proxy.outcomes).toEqual(['cut'])
    expect(proxy.warnings).toEqual([
      expect.objectContaining({
        message: 'proxied answer cut short',
        route: '/api',
        reason: expect.any(String),
      }),
    ])
  })

  it('cuts the browser off when the body falls silent', async () => {
    upstream.on('/silent', (response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
    })
    await expect(send(proxy.port, '/api/silent')).rejects.toThrow(/aborted/)
  })

  it.each([
    ['garbage', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['too many header bytes', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`],
    ['a forbidden byte in a header', 'HTTP/1.1 200 OK\r\nx-a: a\x01b\r\ncontent-length: 0\r\n\r\n'],
    ['an unasked upgrade', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
  ])('is 502 when it answers %s', async (_what, bytes) => {
    upstream.on('/bad', (response) => void response.socket?.end(bytes))
    const answer = await send(proxy.port, '/api/bad')
    expect([answer.status, answer.json().code]).toEqual([502, 'upstream_unreachable'])
  })

  it.each([400, 404, 418, 429, 500, 503])('passes its own %i untouched', async (status) => {
    upstream.on('/own', (response) => void response.writeHead(status, { 'retry-after': '7' }).end('mine'))
    const answer = await send(proxy.port, '/api/own')
    expect([answer.status, answer.body, answer.headers['retry-after']]).toEqual([status, 'mine', '7'])
    expect(upstream.requests).toHaveLength(1)
  })
})

describe('a body that is too large', () => {
  it('is 413 by its announced length, before anybody is asked', async () => {
    const answer = await send(proxy.port, '/api/x', { method: 'POST', body: 'x'.repeat(1_001) })
    expect([answer.status, answer.json().code]).toEqual([413, 'payload_too_large'])
    expect([upstream.requests.length, proxy.sessions.lookups]).toEqual([0, 0])
  })

  it('is 413 by its bytes when its length was not announced, and never whole at the upstream', async () => {
    const chunk = `${(600).toString(16)}\r\n${'x'.repeat(600)}\r\n`
    const head = `POST /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${ownFetch.cookie}\r\nsec-fetch-site: same-origin\r\ntransfer-encoding: chunked\r\n\r\n`
    const text = await sendRaw(proxy.port, `${head}${chunk}${chunk}0\r\n\r\n`)
    expect(text).toMatch(/^HTTP\/1.1 413 /)
    const [request] = upstream.requests
    if (request !== undefined) await request.aborted
    expect(request?.bodyBytes() ?? 0).toBeLessThanOrEqual(600)
  })
})

describe('a body that goes on after its request was refused', () => {
  it('is read for a while, so that the refusal is seen, and then cut off', async () => {
    const socket = connect(proxy.port, '127.0.0.1')
    const seen: string[] = []
    socket.on('data', (chunk) => seen.push(String(chunk))).on('error', () => undefined)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const head = `POST /api/x HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\ncontent-length: 900\r\n\r\n`
    const startedAt = Date.now()
    socket.write(head)
    const timer = setInterval(() => socket.write('x'), 50)
    await closed
    clearInterval(timer)
    expect(seen.join('')).toMatch(/^HTTP\/1\.1 401 /)
    expect(Date.now() - startedAt).toBeGreaterThan(1_500)
  })
})

describe('too many requests at once', () => {
  it('are 503 with Retry-After, and the next one passes', async () => {
    const waiting: (() => void)[] = []
    upstream.on('/wait', (response) => void waiting.push(() => response.end('done')))
    const first = [send(proxy.port, '/api/wait'), send(proxy.port, '/api/wait')]
    while (waiting.length < 2) await upstream.next()
    const refused = await send(proxy.port, '/api/x')
    expect([refused.status, refused.json().code, refused.headers['retry-after']]).toEqual([
      503,
      'overloaded',
      '1',
    ])
    for (const finish of waiting) finish()
    await Promise.all(first)
    expect((await send(proxy.port, '/api/x')).status).toBe(200)
  })
})

describe('a request whose browser leaves', () => {
  it('is given up at the upstream before it answered', async () => {
    upstream.on('/wait', () => undefined)
    const socket = connect(proxy.port, '127.0.0.1')
    const arrived = upstream.next()
    socket.write(
      `GET /api/wait HTTP/1.1\r\nhost: x\r\ncookie: ${ownFetch.cookie}\r\nsec-fetch-site: same-origin\r\n\r\n`,
    )
    const request = await arrived
    socket.destroy()
    await request.aborted
    expect(proxy.outcomes).toEqual(['browser_gone'])
  })
})

describe('a repeat', () => {
  const afterReuse = async (method: string, body?: string) => {
    expect((await send(proxy.port, '/api/x')).status).toBe(200)
    let hits = 0
    upstream.on('/reset', (response, request, raw) => {
      hits += 1
      if (hits === 1) raw.socket.resetAndDestroy()
      else response.end(request.method)
    })
    const answer = await send(proxy.port, '/api/reset', { method, ...(body !== undefined && { body }) })
    return { status: answer.status, hits }
  }

  it.each(['GET', 'OPTIONS', 'DELETE'])(
    'is made once for %s after a reset kept-alive connection',
    async (method) => {
      expect(await afterReuse(method)).toEqual({ status: 200, hits: 2 })
    },
  )

  it('is made once and no more, however often the connection is reset', async () => {
    await Promise.all([send(proxy.port, '/maybe/x'), send(proxy.port, '/maybe/y')])
    let hits = 0
    upstream.on('/again', (_response, _request, raw) => {
      hits += 1
      raw.socket.resetAndDestroy()
    })
    expect((await send(proxy.port, '/maybe/again')).status).toBe(502)
    expect(hits).toBe(2)
  })

  it('is made after a kept-alive connection that the upstream closed in order', async () => {
    expect((await send(proxy.port, '/api/x')).status).toBe(200)
    let hits = 0
    upstream.on('/closed', (response, _request, raw) => {
      hits += 1
      if (hits === 1) raw.socket.end()
      else response.end('whole')
    })
    expect((await send(proxy.port, '/api/closed')).body).toBe('whole')
    expect(hits).toBe(2)
  })

  it('is not made once the answer has begun', async () => {
    expect((await send(proxy.port, '/api/x')).status).toBe(200)
    let hits = 0
    upstream.on('/begun', (response, _request, raw) => {
      hits += 1
      response.writeHead(200, { 'content-length': '9' }).write('half')
      setTimeout(() => raw.socket.resetAndDestroy(), 20)
    })
    await expect(send(proxy.port, '/api/begun')).rejects.toThrow(/aborted/)
    expect(hits).toBe(1)
  })

  it.each([['POST'], ['PATCH']])('is never made for %s', async (method) => {
    expect(await afterReuse(method)).toEqual({ status: 502, hits: 1 })
  })

  it('is never made once a body was sent', async () => {
    expect(await afterReuse('PUT', 'body')).toEqual({ status: 502, hits: 1 })
  })

  it('is not made after a reset of a fresh connection', async () => {
    upstream.on('/reset', (_response, _request, raw) => void raw.socket.resetAndDestroy())
    expect((await send(proxy.port, '/api/reset')).status).toBe(502)
    expect(upstream.requests).toHaveLength(1)
  })
})

describe('an upstream that does not accept the token', () => {
  const answer401 = (challenge: string, accepts?: string) => {
    upstream.on('/token', (response, request) => {
      const isAccepted = valuesOf(request, 'authorization')[0] === accepts
      response
        .writeHead(isAccepted ? 200 : 401, { 'www-authenticate': challenge, 'x-from': 'api' })
        .end('api')
    })
  }

  it('gets the cured token once', async () => {
    answer401('Bearer error="invalid_token"', 'Bearer token-2')
    proxy.tokens.cured = tokenOf('token-2')
    const answer = await send(proxy.port, '/api/token')
    expect([answer.status, answer.body, upstream.requests.length]).toEqual([200, 'api', 2])
  })

  it.each(['GET', 'HEAD'])('has its 401 to %s passed on when there is no cure', async (method) => {
    answer401('Bearer error="invalid_token"')
    const answer = await send(proxy.port, '/api/token', { method })
    expect([answer.status, answer.body]).toEqual([401, method === 'HEAD' ? '' : 'api'])
    expect([proxy.tokens.cures, upstream.requests.length]).toEqual([1, 1])
    expect(proxy.outcomes).toEqual(['ok'])
  })

  it('has its 401 passed on though it has gone meanwhile', async () => {
    let whenGone = Promise.resolve()
    upstream.on('/token', (response, request, raw) => {
      whenGone = request.aborted
      response.writeHead(401, {
        'www-authenticate': 'Bearer error="invalid_token"',
        'content-length': '9',
        'x-from': 'api',
      })
      response.write('half')
      setTimeout(() => raw.socket.resetAndDestroy(), 20)
    })
    proxy.tokens.whileCuring = async () => {
      await whenGone
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const answer = await send(proxy.port, '/api/token')
    expect([answer.status, answer.headers['x-from'], answer.body]).toEqual([401, 'api', ''])
    expect(answer.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
    expect(upstream.requests).toHaveLength(1)
  })

  it('has what it says about a fresh token said to the operator, once, with the settings', async () => {
    answer401('Bearer error="invalid_token", error_description="unexpected aud\\u001b"')
    for (const target of ['/api/token', '/api/token']) await send(proxy.port, target)
    expect(proxy.warnings).toEqual([
      {
        route: '/api',
        status: 401,
        apiError: 'invalid_token',
        apiErrorDescription: 'unexpected audu001b',
        remedy: expect.stringMatching(/https:\/\/login\.example\.com\/ \(ISSUER_URL\).*API_AUDIENCE.*clock/),
        message: 'the API refuses a fresh access token',
      },
    ])
  })

  it('has the token that it repeats kept out of the log', async () => {
    proxy.tokens.current = tokenOf('an-opaque-token')
    answer401('Bearer error="invalid_token", error_description="unknown token an-opaque-token"')
    await send(proxy.port, '/api/token')
    expect(proxy.warnings).toMatchObject([{ apiErrorDescription: 'unknown token [a secret]' }])
  })

  it('has a refused proof said to the operator, however old the token is', async () => {
    proxy.tokens.current = { ...tokenOf('token-1'), obtainedAtMs: Date.now() - 600_000 }
    answer401('DPoP error="invalid_dpop_proof", error_description="iat"')
    for (const target of ['/api/token', '/api/token'])
      expect((await send(proxy.port, target)).status).toBe(401)
    expect(proxy.warnings).toEqual([
      {
        route: '/api',
        status: 401,
        apiError: 'invalid_dpop_proof',
        apiErrorDescription: 'iat',
        remedy: expect.stringMatching(/http:\/\/127\.0\.0\.1:\d+\/.*proofUrl.*clock/),
        message: 'the API refuses the proof of a token',
      },
    ])
  })

  it('says nothing to the operator of an old token, nor of a demand for a stronger login', async () => {
    proxy.tokens.current = { ...tokenOf('token-1'), obtainedAtMs: Date.now() - 31_000 }
    answer401('Bearer error="invalid_token"')
    expect((await send(proxy.port, '/api/token')).status).toBe(401)
    proxy.tokens.current = tokenOf('token-1')
    answer401('Bearer error="insufficient_user_authentication"')
    expect((await send(proxy.port, '/api/token')).json().code).toBe('step_up_required')
    expect(proxy.warnings).toEqual([])
  })

  it('is asked no third time', async () => {
    answer401('Bearer error="invalid_token"')
    proxy.tokens.cured = tokenOf('token-2')
    expect((await send(proxy.port, '/api/token')).status).toBe(401)
    expect([proxy.tokens.cures, upstream.requests.length]).toEqual([1, 2])
  })

  it('is not asked again with a body', async () => {
    answer401('Bearer error="invalid_token"')
    proxy.tokens.cured = tokenOf('token-2')
    expect((await send(proxy.port, '/api/token', { method: 'POST', body: 'x' })).status).toBe(401)
    expect([proxy.tokens.cures, upstream.requests.length]).toEqual([0, 1])
  })

  it('does not look like a logout when the provider is down', async () => {
    answer401('Bearer error="invalid_token"')
    proxy.tokens.cured = new GatewayError('provider_unavailable')
    const answer = await send(proxy.port, '/api/token')
    expect([answer.status, answer.json().code]).toEqual([503, 'provider_unavailable'])
  })

  it('becomes step_up_required with the address that satisfies it', async () => {
    const challenge = 'Bearer error="insufficient_user_authentication", acr_values="gold silver", max_age=60'
    answer401(challenge)
    const answer = await send(proxy.port, '/api/token', { method: 'POST', body: 'x' })
    expect([answer.status, answer.json().code]).toEqual([401, 'step_up_required'])
    expect(answer.json().loginUrl).toBe('/login?acr_values=gold+silver&max_age=60')
    expect(answer.headers['www-authenticate']).toBe(challenge)
    expect(answer.headers['x-from']).toBeUndefined()
  })
})

describe('an optional route', () => {
  it('is forwarded without authorization when nobody is signed in', async () => {
    const headers = { 'sec-fetch-site': 'same-origin', authorization: 'Bearer forged' }
    expect((await send(proxy.port, '/maybe/x', { headers })).status).toBe(200)
    expect(valuesOf(upstream.requests[0]!, 'authorization')).toEqual([])
  })

  it('is never silently anonymous: 503 when the store is down', async () => {
    proxy.sessions.isStoreDown = true
    const answer = await send(proxy.port, '/maybe/x')
    expect([answer.status, answer.json().code]).toEqual([503, 'session_store_unavailable'])
    expect(upstream.requests).toHaveLength(0)
  })

  it('is guarded', async () => {
    expect((await send(proxy.port, '/maybe/x', { headers: {} })).status).toBe(403)
  })
})

describe('a route without sessions', () => {
  it('looks up nothing, and passes the client’s own authorization when the route says so', async () => {
    const headers = { cookie: ownFetch.cookie, authorization: 'Bearer own' }
    expect((await send(proxy.port, '/open/x', { headers })).status).toBe(200)
    expect(valuesOf(upstream.requests[0]!, 'authorization')).toEqual(['Bearer own'])
    expect(valuesOf(upstream.requests[0]!, 'cookie')).toEqual([])
    expect(proxy.sessions.lookups).toBe(0)
  })
})

describe('a token that has to be waited for', () => {
  it('is waited for', async () => {
    proxy.tokens.current = Promise.resolve(tokenOf('token-late'))
    expect((await send(proxy.port, '/api/x')).status).toBe(200)
    expect(valuesOf(upstream.requests[0]!, 'authorization')).toEqual(['Bearer token-late'])
  })

  it('is a problem of its own when it cannot be had', async () => {
    proxy.tokens.current = new GatewayError('access_token_unusable')
    const answer = await send(proxy.port, '/api/x')
    expect([answer.status, answer.json().code]).toEqual([502, 'access_token_unusable'])
    expect(upstream.requests).toHaveLength(0)
  })
})

describe('methods', () => {
  it.each(['TRACE', 'PROPFIND', 'LOCK', 'M-SEARCH'])('answers %s with 405 and Allow', async (method) => {
    const answer = await send(proxy.port, '/api/x', { method })
    expect([answer.status, answer.json().code]).toEqual([405, 'method_not_allowed'])
    expect(answer.headers.allow).toBe('GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS')
  })

  it('forwards an unusual one that the route lists, with its body', async () => {
    const other = await startProxy({ routes: [routeTo(upstream.origin, { methods: ['PROPFIND', 'QUERY'] })] })
    const body = await send(other.port, '/api/x', { method: 'PROPFIND', body: '<a/>' })
    expect([body.status, body.json().body]).toEqual([200, '<a/>'])
    await other.stop()
  })
})
