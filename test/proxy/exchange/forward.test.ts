import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream, valuesOf } from '../../support/api/upstream.ts'
import { cookie, ownFetch, routeTo, send, startProxy, type TestProxy } from '../support/harness.ts'

let upstream: Upstream
let proxy: TestProxy

beforeEach(async () => {
  upstream = await startUpstream()
  proxy = await startProxy({ routes: [routeTo(`${upstream.origin}/v1`)] })
})

afterEach(async () => {
  await proxy.stop()
  await upstream.stop()
})

describe('a signed-in request', () => {
  it('reaches the upstream with the token, and without the cookie', async () => {
    const answer = await send(proxy.port, '/api/things?a=1&a=2&b=%20')
    expect(answer.status).toBe(200)
    const [request] = upstream.requests
    expect(request?.target).toBe('/v1/things?a=1&a=2&b=%20')
    expect(valuesOf(request!, 'authorization')).toEqual(['Bearer token-1'])
    expect(valuesOf(request!, 'cookie')).toEqual([])
    expect(proxy.outcomes).toEqual(['ok'])
  })

  it('passes a body byte for byte', async () => {
    const body = Buffer.from(Array.from({ length: 3000 }, (_, at) => at % 256))
    const answer = await send(proxy.port, '/api/x', {
      method: 'POST',
      body,
      headers: { ...ownFetch, 'content-type': 'application/json' },
    })
    expect(answer.status).toBe(200)
    expect(await upstream.requests[0]?.body).toEqual(body)
  })
})

describe('a body', () => {
  it.each(['text/plain', 'application/json', 'multipart/form-data; boundary=x', 'application/x-own'])(
    'of type %s is neither parsed nor limited by the router',
    async (type) => {
      const body = `{ broken ${'x'.repeat(2_000_000)}`
      const headers = { ...ownFetch, 'content-type': type }
      expect((await send(proxy.port, '/api/x', { method: 'POST', body, headers })).status).toBe(200)
      expect((await upstream.requests[0]?.body)?.length).toBe(body.length)
    },
  )
})

describe('a request without a session', () => {
  it('is answered 401 and asks nobody', async () => {
    const answer = await send(proxy.port, '/api/x', { headers: { 'sec-fetch-site': 'same-origin' } })
    expect([answer.status, answer.json().code]).toEqual([401, 'session_missing'])
    expect(proxy.sessions.lookups).toBe(0)
    expect(upstream.requests).toEqual([])
  })

  it('is answered 401 session_expired when the session has ended', async () => {
    proxy.sessions.end()
    const answer = await send(proxy.port, '/api/x')
    expect([answer.status, answer.json().code]).toEqual([401, 'session_expired'])
  })

  it('is refused before any lookup when it comes from elsewhere', async () => {
    const answer = await send(proxy.port, '/api/x', { headers: { cookie, 'sec-fetch-site': 'cross-site' } })
    expect([answer.status, answer.json().code]).toEqual([403, 'csrf_rejected'])
    expect(proxy.sessions.lookups).toBe(0)
  })
})
