import { createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { errorCodes } from '../../../src/errors/codes.ts'
import { GatewayError } from '../../../src/errors/gateway-error.ts'
import { problemRules } from '../../../src/errors/problem.ts'
import { createPages } from '../../../src/http/answers/pages.ts'
import { freePort } from '../../support/ports.ts'
import { buildGateway, fetchHeaders, navigationHeaders, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeEach(async () => {
  gateway = await buildGateway()
})
afterEach(() => gateway.app.close())

const request = (headers: Record<string, string>) => ({ id: 'request-1', method: 'GET', headers })

describe('an error', () => {
  it.each(errorCodes)('%s has its status, code and request id in either form', (code) => {
    const error = new GatewayError(code, {
      context: { host: 'internal.example' },
      cause: new Error('secret'),
    })
    const problem = gateway.context.errorAnswers.render(error, request(fetchHeaders))
    const page = gateway.context.errorAnswers.render(error, request(navigationHeaders))
    expect([problem.status, page.status]).toEqual([problemRules[code].status, problemRules[code].status])
    expect(JSON.parse(problem.body)).toMatchObject({ code, instance: 'urn:coatcheck:request:request-1' })
    expect(problem.headers['content-type']).toContain('application/problem+json')
    expect(page.body).toContain(`<dd>${code}</dd>`)
    expect(page.body).toContain('<dd>request-1</dd>')
    for (const { body, headers } of [problem, page]) {
      expect(body).not.toMatch(/internal\.example|secret/)
      expect(headers['cache-control']).toBe('no-store')
      expect(headers['www-authenticate'] !== undefined).toBe(problemRules[code].status === 401)
      expect(headers['retry-after'] !== undefined).toBe(problemRules[code].retryAfterSeconds !== undefined)
    }
  })

  it.each([
    [{ 'sec-fetch-mode': 'navigate' }, 'text/html'],
    [{ 'sec-fetch-mode': 'navigate', accept: 'application/json' }, 'text/html'],
    [{ 'sec-fetch-mode': 'cors', accept: 'text/html' }, 'application/problem+json'],
    [{ 'sec-fetch-mode': 'no-cors' }, 'application/problem+json'],
    [{ accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }, 'text/html'],
    [{ accept: '*/*' }, 'application/problem+json'],
    [{}, 'application/problem+json'],
  ])('for %j is %s', (headers, type) => {
    const answer = gateway.context.errorAnswers.render(
      new GatewayError('not_found'),
      request(headers as never),
    )
    expect(answer.headers['content-type']).toContain(type)
  })

  it.each(['/session', '/sessions'])('has a line that names a second cookie of our name: %s', async (url) => {
    const warn = vi.spyOn(gateway.context.telemetry.log, 'warn')
    const cookie = '__Host-Http-coatcheck=a; __Host-Http-coatcheck=b'
    await gateway.app.inject({ url, headers: { ...fetchHeaders, cookie: '__Host-Http-coatcheck=a' } })
    expect(warn).not.toHaveBeenCalled()
    await gateway.app.inject({ url, headers: { ...fetchHeaders, cookie } })
    const facts = {
      duplicateCookie: '__Host-Http-coatcheck',
      likelyOrigin: expect.stringContaining('another port'),
    }
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(facts), 'session_missing')
  })

  it('keeps what the upstream asked for in a step-up', () => {
    const error = new GatewayError('step_up_required', {
      headers: { 'www-authenticate': 'Bearer error="insufficient_user_authentication"' },
      extensions: { loginUrl: '/login?acr_values=2' },
    })
    const { headers, body } = gateway.context.errorAnswers.render(error, request(fetchHeaders))
    expect(headers['www-authenticate']).toContain('insufficient_user_authentication')
    expect(JSON.parse(body).loginUrl).toBe('/login?acr_values=2')
  })

  it('of an unknown kind is a bare 500', async () => {
    const app = gateway.app
    gateway.context.provider.status = () => {
      throw new Error('connect ECONNREFUSED 10.0.0.1:6379')
    }
    const answer = await app.inject({ url: '/readyz' })
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({ code: 'internal_error' })
    expect(answer.body).not.toContain('10.0.0.1')
  })
})

describe('a page', () => {
  it('escapes what others wrote', () => {
    const error = new GatewayError('login_denied', { detail: `"'><script>alert(1)</script>&amp;` })
    const { body } = gateway.context.errorAnswers.render(error, request(navigationHeaders))
    expect(body).not.toContain('<script')
    expect(body).toContain('&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;')
  })

  it('allows its own style sheet and nothing else, has a language, a title and one heading', () => {
    const { body, headers } = gateway.context.errorAnswers.render(
      new GatewayError('not_found'),
      request(navigationHeaders),
    )
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; frame-ancestors 'none'$/,
    )
    expect(body).toMatch(/^<!doctype html><html lang="en">.*<title>Not found<\/title>.*<h1>Not found<\/h1>/s)
    expect(body).not.toMatch(/ on\w+=|style=|<script|http-equiv/)
  })

  it('offers the app first and signing in second', () => {
    const pages = createPages({ app: '/', login: '/auth/login' })
    const page = pages.problem(
      { title: 'T', detail: 'D', status: 400, code: 'not_found', type: 't', instance: 'i' },
      'r',
    )
    const links = [...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)
    expect(links).toEqual(['/', '/auth/login'])
  })
})

describe('every answer', () => {
  it.each(['/login', '/session', '/nowhere', '/livez', '/logout'])(
    'of %s forbids sniffing and demands https',
    async (url) => {
      const { headers } = await gateway.app.inject({ url })
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['strict-transport-security']).toBe('max-age=31536000')
      expect(headers['access-control-allow-origin']).toBeUndefined()
    },
  )

  it('on loopback http says nothing about https', async () => {
    const local = await buildGateway({ baseUrl: new URL('http://localhost:3000') })
    const { headers } = await local.app.inject({ url: '/livez' })
    await local.app.close()
    expect(headers['strict-transport-security']).toBeUndefined()
  })

  it('of a path that cannot be decoded is 400', async () => {
    const answer = await gateway.app.inject({ url: '/%ff', headers: fetchHeaders })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ code: 'request_target_rejected' })
    expect(answer.headers['x-content-type-options']).toBe('nosniff')
  })

  it('of an unknown address is 404', async () => {
    expect((await gateway.app.inject({ url: '/nowhere' })).json()).toMatchObject({ code: 'not_found' })
  })

  it.each([
    ['PUT', '/login', 'GET, HEAD, POST'],
    ['HEAD', '/callback', 'GET'],
    ['OPTIONS', '/session', 'GET, HEAD'],
    ['GET', '/session/refresh', 'POST'],
    ['PATCH', '/sessions', 'GET, HEAD, DELETE'],
    ['GET', '/sessions/x', 'DELETE'],
    ['DELETE', '/logout', 'GET, HEAD, POST'],
    ['POST', '/frontchannel-logout', 'GET'],
  ] as const)('%s %s is 405 with Allow', async (method, url, allow) => {
    const answer = await gateway.app.inject({ method, url, headers: fetchHeaders })
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, allow])
    expect(gateway.sessions.calls).toEqual([])
  })
})

describe('writeProblem', () => {
  async function serve(isStarted: boolean, method = 'GET') {
    const port = await freePort()
    const server = createServer((incoming, raw) => {
      if (isStarted) raw.write('partial')
      const failed = { id: 'r', method: incoming.method ?? '', headers: incoming.headers }
      gateway.context.errorAnswers.writeProblem(raw, new GatewayError('upstream_timeout'), failed)
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { method })
      return { status: answer.status, headers: answer.headers, body: await answer.text() }
    } finally {
      server.close()
    }
  }

  it('answers on a raw response with all the headers of an answer', async () => {
    const { status, headers, body } = await serve(false)
    expect(status).toBe(504)
    expect(JSON.parse(body)).toMatchObject({ code: 'upstream_timeout' })
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('sends no body to HEAD', async () => {
    expect(await serve(false, 'HEAD')).toMatchObject({ status: 504, body: '' })
  })

  it('cuts an answer that had begun', async () => {
    await expect(serve(true)).rejects.toThrow()
  })
})
