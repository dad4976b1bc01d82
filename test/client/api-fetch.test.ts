import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type Coatcheck,
  createCoatcheck,
  LoginLoopError,
  SessionEndedError,
} from '../../src/client/client.ts'
import { openPage, origin, type Page, problem, reply, signedIn, signedOut } from './page.ts'

let page: Page
let coatcheck: Coatcheck
const ended = vi.fn()

beforeEach(() => {
  vi.useFakeTimers()
  page = openPage()
  coatcheck = createCoatcheck()
  coatcheck.onSessionEnded(ended)
  page.answer('/session', signedIn())
})
afterEach(() => {
  coatcheck.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
  ended.mockReset()
})

const sentTo = (path: string) => page.requests.filter((request) => request.path === path)
const unavailable = problem('session_store_unavailable', 503, {}, { 'retry-after': '2' })
const problemType = 'application/problem+json'

describe('an address', () => {
  it('is relative to what the page says, as for fetch itself', async () => {
    page.setBase('/app/')
    page.answer('/app/api/orders', reply(200))
    expect((await coatcheck.apiFetch('api/orders')).status).toBe(200)
  })
})

describe('a call that a stronger sign-in was asked for', () => {
  it('has the answer as it is where the page comes back from the back/forward cache', async () => {
    page.answer('/api/orders', problem('step_up_required', 401, { loginUrl: '/login?acr_values=mfa' }))
    const call = coatcheck.apiFetch('/api/orders')
    await vi.waitFor(() => expect(page.left).toHaveLength(1))
    page.comeBack()
    expect((await call).status).toBe(401)
    expect(page.left).toHaveLength(1)
  })
})

describe('thirty calls without a session', () => {
  it('ask once who is signed in, are all told, and end the session for the page once', async () => {
    await coatcheck.getSession()
    page.answer('/api/orders', problem('session_expired', 401))
    page.answer('/session', signedOut)
    const calls = Array.from({ length: 30 }, () => coatcheck.apiFetch('/api/orders'))
    const outcomes = await Promise.allSettled(calls)
    expect(
      outcomes.every((one) => one.status === 'rejected' && one.reason instanceof SessionEndedError),
    ).toBe(true)
    expect(sentTo('/session').length).toBeLessThanOrEqual(3)
    expect(ended).toHaveBeenCalledTimes(1)
  })
})

describe('a nonce that the API asks for', () => {
  const nonce = problem('upstream_nonce', 503, {}, { 'retry-after': '1' })

  it.each(['GET', 'POST'])(
    'is answered by one more %s, after the second that the gateway names',
    async (method) => {
      page.answer('/api/orders', nonce, reply(200))
      const call = coatcheck.apiFetch('/api/orders', { method })
      await vi.advanceTimersByTimeAsync(999)
      expect(sentTo('/api/orders')).toHaveLength(1)
      await vi.advanceTimersByTimeAsync(1)
      expect((await call).status).toBe(200)
      expect(sentTo('/api/orders')).toHaveLength(2)
    },
  )

  it("is the caller's to deal with the second time, and where the body was a stream", async () => {
    page.answer('/api/orders', nonce)
    const call = coatcheck.apiFetch('/api/orders', { method: 'PUT', body: 'x' })
    await vi.advanceTimersByTimeAsync(5_000)
    expect((await call).status).toBe(503)
    expect(sentTo('/api/orders').map(({ body }) => body)).toEqual(['x', 'x'])
    const streamed = { method: 'POST', body: new Blob(['y']).stream(), duplex: 'half' } as RequestInit
    expect((await coatcheck.apiFetch('/api/orders', streamed)).status).toBe(503)
    expect(sentTo('/api/orders')).toHaveLength(3)
  })
})

describe('a proof of the device that is missing', () => {
  const missing = problem('device_proof_missing', 401)
  const call = async (method: string): Promise<number> => {
    const answer = coatcheck.apiFetch('/api/orders', { method })
    await vi.advanceTimersByTimeAsync(10)
    return (await answer).status
  }

  it.each(['GET', 'POST'])(
    'is renewed by the browser on the way to /session, then the %s goes again',
    async (method) => {
      page.answer('/api/orders', missing, reply(200))
      expect(await call(method)).toBe(200)
      expect(page.requests.map(({ path }) => path).slice(0, 3)).toEqual([
        '/api/orders',
        '/session',
        '/api/orders',
      ])
      expect(ended).not.toHaveBeenCalled()
    },
  )

  it("is the caller's to deal with the second time", async () => {
    page.answer('/api/orders', missing)
    expect(await call('POST')).toBe(401)
    expect(sentTo('/api/orders')).toHaveLength(2)
  })
})

describe('an ended session', () => {
  it.each(['session_missing', 'session_expired', 'refresh_refused'])(
    'is what the problem code %s says, once /session says so too',
    async (code) => {
      await coatcheck.getSession()
      page.answer('/session', signedOut)
      page.answer('/api/orders', problem(code, 401))
      const call = coatcheck.apiFetch('/api/orders')
      await expect(call).rejects.toThrow(SessionEndedError)
      await expect(call).rejects.toMatchObject({ code, status: 401, message: `about ${code}` })
      expect(ended).toHaveBeenCalledOnce()
    },
  )

  it.each([
    ['an empty 401', reply(401)],
    ['a 401 with JSON', reply(401, '{"code":"session_expired"}', { 'content-type': 'application/json' })],
    [
      'a problem that has the same code and a type of its own',
      reply(401, '{"type":"about:blank","code":"session_expired"}', { 'content-type': problemType }),
    ],
    ['a problem that is no JSON', reply(401, 'session_expired', { 'content-type': problemType })],
    ['a 403', problem('csrf_rejected', 403)],
    ['a 502', problem('upstream_unreachable', 502)],
    ['a 504', problem('upstream_timeout', 504)],
  ])('is not what %s of the API says', async (_what, answer) => {
    await coatcheck.getSession()
    page.answer('/api/orders', answer)
    const response = await coatcheck.apiFetch('/api/orders')
    expect(response.status).toBeGreaterThanOrEqual(401)
    expect(response.bodyUsed).toBe(false)
    expect(ended).not.toHaveBeenCalled()
    expect(sentTo('/session')).toHaveLength(1)
  })

  it('is not believed of an address that a redirect led to elsewhere', async () => {
    page.answer('/api/file', async (request) => {
      const response = await problem('session_expired', 401)(request)
      Object.defineProperties(response, {
        redirected: { value: true },
        url: { value: 'https://files.example.test/x' },
      })
      return response
    })
    expect((await coatcheck.apiFetch('/api/file')).status).toBe(401)
  })

  it('is asked about once for all calls that were under way', async () => {
    await coatcheck.getSession()
    page.answer('/session', signedOut)
    page.answer('/api/orders', problem('session_expired', 401))
    const calls = Array.from({ length: 5 }, () => coatcheck.apiFetch('/api/orders'))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill('rejected'))
    expect(sentTo('/session')).toHaveLength(2)
    expect(ended).toHaveBeenCalledOnce()
  })

  it('is over with a new one, which a read is repeated with and a write is not', async () => {
    page.answer('/api/orders', problem('session_expired', 401), reply(200, 'orders'))
    const read = coatcheck.apiFetch('/api/orders')
    await vi.advanceTimersByTimeAsync(1)
    expect(await (await read).text()).toBe('orders')
    page.answer('/api/orders', problem('session_expired', 401), reply(200, 'orders'))
    await expect(coatcheck.apiFetch('/api/orders', { method: 'POST' })).rejects.toThrow(SessionEndedError)
    expect(ended).not.toHaveBeenCalled()
  })

  it('is not told to the page while /session cannot say', async () => {
    await coatcheck.getSession()
    page.answer('/session', unavailable)
    page.answer('/api/orders', problem('session_expired', 401))
    await expect(coatcheck.apiFetch('/api/orders')).rejects.toThrow(SessionEndedError)
    expect(ended).not.toHaveBeenCalled()
  })
})

describe('a 503 of the gateway', () => {
  it.each(['GET', 'HEAD', 'PUT', 'DELETE'])('is repeated as told for %s', async (method) => {
    page.answer('/api/orders', unavailable, reply(200))
    const body = method === 'PUT' ? { body: 'the same again' } : {}
    const call = coatcheck.apiFetch('/api/orders', { method, ...body })
    await vi.advanceTimersByTimeAsync(1_999)
    expect(sentTo('/api/orders')).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect((await call).status).toBe(200)
    const bodies = sentTo('/api/orders').map(({ body: sent }) => sent)
    expect(bodies).toEqual(method === 'PUT' ? ['the same again', 'the same again'] : ['', ''])
  })

  it.each(['POST', 'PATCH'])('is left to the caller for %s', async (method) => {
    page.answer('/api/orders', unavailable, reply(200))
    expect((await coatcheck.apiFetch('/api/orders', { method, body: '{}' })).status).toBe(503)
    expect(sentTo('/api/orders')).toHaveLength(1)
  })

  it('is repeated twice and no more', async () => {
    page.answer('/api/orders', unavailable)
    const call = coatcheck.apiFetch('/api/orders')
    await vi.advanceTimersByTimeAsync(60_000)
    const response = await call
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ code: 'session_store_unavailable' })
    expect(sentTo('/api/orders')).toHaveLength(3)
  })

  it.each([
    ['asks for a longer wait than ten seconds', problem('overloaded', 503, {}, { 'retry-after': '11' })],
    ['does not say when', problem('overloaded', 503)],
    ['names a date', problem('overloaded', 503, {}, { 'retry-after': 'Fri, 31 Dec 2027 23:59:59 GMT' })],
    ['comes from the API', reply(503, '', { 'retry-after': '1' })],
  ])('is left to the caller when it %s', async (_what, answer) => {
    page.answer('/api/orders', answer, reply(200))
    expect((await coatcheck.apiFetch('/api/orders')).status).toBe(503)
  })

  it('is no longer waited for once the caller gives up', async () => {
    page.answer('/api/orders', unavailable)
    const abort = new AbortController()
    const call = coatcheck.apiFetch('/api/orders', { signal: abort.signal })
    const outcome = expect(call).rejects.toThrow('enough')
    await vi.advanceTimersByTimeAsync(500)
    abort.abort(new Error('enough'))
    await outcome
    await vi.advanceTimersByTimeAsync(60_000)
    expect(sentTo('/api/orders')).toHaveLength(1)
  })
})

describe('a step-up', () => {
  const stepUp = problem('step_up_required', 401, { loginUrl: '/login?acr_values=mfa&max_age=0' })

  it('leaves for the login with what the API asked for, and comes back to this page', async () => {
    page.answer('/api/pay', stepUp)
    void coatcheck.apiFetch('/api/pay', { method: 'POST' })
    await vi.advanceTimersByTimeAsync(0)
    expect(page.left).toEqual(['/login?acr_values=mfa&max_age=0&returnTo=%2Forders%3Fpage%3D2%23top'])
    expect(ended).not.toHaveBeenCalled()
  })

  it.each([
    'https://evil.example/login?x=1',
    '//evil.example/login',
    '/\\evil.example/login',
    'http://app.example.test/login',
    'https://app.example.test:8443/login',
    'https://someone@app.example.test/login',
    'blob:https://app.example.test/1',
    'javascript:alert(1)',
    'https://',
  ])(
    'at %s is not the word of the gateway: the page stays, and the answer is handed on',
    async (loginUrl) => {
      page.answer('/api/pay', problem('step_up_required', 401, { loginUrl }))
      const response = await coatcheck.apiFetch('/api/pay')
      expect(page.left).toEqual([])
      expect(await response.json()).toMatchObject({ loginUrl })
    },
  )

  it.each(['/.//evil.example', '/x/..//evil.example/login', '/%2e//evil.example'])(
    'at %s stays on this origin wherever it is resolved',
    async (loginUrl) => {
      page.answer('/api/pay', problem('step_up_required', 401, { loginUrl }))
      void coatcheck.apiFetch('/api/pay')
      await vi.advanceTimersByTimeAsync(0)
      expect(page.left.map((address) => new URL(address, origin).origin)).toEqual([origin])
      expect(page.left[0]).toMatch(/^\/\.\/\/evil\.example/)
    },
  )

  it('that does not satisfy the API is given up at the third time within a minute', async () => {
    page.answer('/api/pay', stepUp)
    for (let count = 0; count < 2; count += 1) void coatcheck.apiFetch('/api/pay')
    await vi.advanceTimersByTimeAsync(0)
    await expect(coatcheck.apiFetch('/api/pay')).rejects.toThrow(LoginLoopError)
    expect(page.left).toHaveLength(2)
  })
})

describe('what is sent', () => {
  it('bears the header of the guard beside the headers of the caller', async () => {
    page.answer('/api/orders', reply(200))
    await coatcheck.apiFetch('/api/orders', { headers: { 'X-Own': 'a' } })
    await coatcheck.apiFetch(
      new Request('https://app.example.test/api/orders', { headers: { 'X-Own': 'b' } }),
    )
    for (const { headers } of sentTo('/api/orders')) expect(headers.get('x-csrf')).toBe('1')
    expect(sentTo('/api/orders').map(({ headers }) => headers.get('x-own'))).toEqual(['a', 'b'])
  })

  it('bears no such header to another origin, whose answers mean nothing here', async () => {
    page.answer('https://other.example/api', problem('session_expired', 401))
    expect((await coatcheck.apiFetch('https://other.example/api')).status).toBe(401)
    expect(page.requests[0]?.headers.has('x-csrf')).toBe(false)
    expect(sentTo('/session')).toEqual([])
  })
})
