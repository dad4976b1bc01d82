import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer } from '../../support/exchange.ts'
import { expectPage, expectProblem } from '../../support/expect-problem.ts'
import { freePort } from '../../support/ports.ts'
import { type Asked, ask, handshake, navigation, ownFetch } from '../../support/questions.ts'
import { type AccessWorld, ownPage, startAccessWorld } from '../../support/worlds/access-world.ts'

let world: AccessWorld
let port: number
let cookie: string

beforeAll(async () => {
  port = await freePort()
  world = await startAccessWorld(
    [
      { prefix: '/app', upstream: 'external' },
      { prefix: '/app/public', upstream: 'external', auth: 'none' },
      { prefix: '/maybe', upstream: 'external', auth: 'optional' },
      { prefix: '/told', upstream: 'external', identityHeaders: { 'X-User': 'sub', 'X-Nothing': 'nothing' } },
      { prefix: '/strong', upstream: 'external', require: { acr: 'gold' } },
      { prefix: '/admins', upstream: 'external', require: { permissions: ['admin'] } },
      { prefix: '/machines', upstream: 'external', callers: ['session', 'bearer'], token: 'none' },
      { prefix: '/hooks', upstream: 'external', auth: 'none', forwardAuthorization: true },
      { prefix: '/silent', upstream: 'external', websocket: false },
      { prefix: '/read', upstream: 'external', methods: ['GET'] },
      { prefix: '/both' },
    ],
    {
      FORWARD_AUTH_PORT: `${port}`,
      RATE_LIMIT: 'off',
      SPA_DIR: new URL('../../support/spa', import.meta.url).pathname,
    },
  )
  cookie = await world.signIn()
})
afterAll(() => world.stop())

const signedIn = (asked: Asked = {}): Asked => ({
  uri: '/app/x',
  ...asked,
  headers: { cookie, ...ownFetch, ...asked.headers },
})
const anonymous = (asked: Asked = {}): Asked => ({
  uri: '/app/x',
  ...asked,
  headers: { ...ownFetch, ...asked.headers },
})

function expectYes(answer: Answer): void {
  expect([answer.status, answer.text(), answer.setCookies]).toEqual([200, '', []])
  expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'content-length': '0' })
  expect(answer.headers['x-request-id']).toMatch(/^[\w-]{16}$/)
}

describe('a yes', () => {
  it.each(['/check', '/check/redirect', '/check?rd=/x&x=1', '/check/redirect?'])(
    'at %s carries the token and no cookie of ours',
    async (path) => {
      const answer = await ask(
        port,
        signedIn({ headers: { cookie: `theme=dark; ${cookie}; a="b c"` } }),
        path,
      )
      expectYes(answer)
      expect(answer.headers.authorization).toMatch(/^Bearer eyJ/)
      expect(answer.headers.cookie).toBe('theme=dark; a="b c"')
      expect(Object.keys(answer.headers).sort()).toEqual(
        [
          'authorization',
          'cache-control',
          'connection',
          'content-length',
          'cookie',
          'date',
          'x-request-id',
        ].sort(),
      )
    },
  )

  it('has no Cookie where only ours came', async () => {
    expect((await ask(port, signedIn())).headers).not.toHaveProperty('cookie')
  })

  it('replaces what the browser wrote as its own authorization', async () => {
    const answer = await ask(port, signedIn({ headers: { authorization: 'Bearer forged' } }))
    expect(answer.headers.authorization).toMatch(/^Bearer eyJ/)
  })

  it('tells who calls, and has no header for what is not known', async () => {
    const answer = await ask(
      port,
      signedIn({ uri: '/told/x', headers: { 'x-user': 'forged', 'x-nothing': 'x' } }),
    )
    expectYes(answer)
    expect(answer.headers['x-user']).toBe('alice')
    expect(answer.headers).not.toHaveProperty('x-nothing')
  })

  it('without anybody signed in has no authorization, whatever the browser sent', async () => {
    for (const uri of ['/maybe/x', '/app/public/logo.svg']) {
      const answer = await ask(port, anonymous({ uri, headers: { authorization: 'Bearer forged' } }))
      expectYes(answer)
      expect(answer.headers).not.toHaveProperty('authorization')
    }
  })

  it("hands back the caller's own authorization where the route says so", async () => {
    const answer = await ask(port, {
      uri: '/hooks/x',
      method: 'POST',
      headers: { authorization: 'Basic eDp5' },
    })
    expectYes(answer)
    expect(answer.headers.authorization).toBe('Basic eDp5')
  })

  it('is given for a route that is proxied here as well', async () => {
    expectYes(await ask(port, signedIn({ uri: '/both/x' })))
  })

  it('is given to HEAD and POST too, with or without a body, and to no other method', async () => {
    for (const method of ['HEAD', 'POST']) expectYes(await ask(port, signedIn(), '/check', method))
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'QUERY']) {
      const answer = await ask(port, signedIn(), '/check', method)
      expect([method, answer.status, answer.headers.allow]).toEqual([method, 405, 'GET, HEAD, POST'])
    }
  })
})

describe('a no', () => {
  it('is the problem that the proxy would answer', async () => {
    expectProblem(await ask(port, anonymous()), 401, 'session_missing')
    expect((await ask(port, anonymous())).json()).toMatchObject({ loginUrl: '/login' })
    const stale = anonymous({ headers: { cookie: `${cookie.split('=')[0]}=${'x'.repeat(43)}` } })
    expectProblem(await ask(port, stale), 401, 'session_expired')
    expectProblem(await ask(port, signedIn({ uri: '/strong/x' })), 401, 'step_up_required')
    expectProblem(await ask(port, signedIn({ uri: '/admins/x' })), 403, 'forbidden')
    expectProblem(
      await ask(port, anonymous({ uri: '/machines/x', headers: { authorization: 'Bearer x.y.z' } })),
      401,
      'bearer_invalid',
    )
    expectProblem(await ask(port, signedIn({ uri: '/read/x', method: 'DELETE' })), 405, 'method_not_allowed')
  })

  it.each(['/', '/x', '/apps', '//app/x', '/App/x', '/%61pp/x', '/login', '/session', '/check', '/api'])(
    '%s has no route: 403 not_found',
    async (uri) => {
      expectProblem(await ask(port, signedIn({ uri })), 403, 'not_found')
    },
  )

  it.each([
    '/app/public/../x',
    '/app/public/%2e%2e/x',
    '/app/public/..%2fx',
    '/app/x/..;/../y',
    '/app//x',
    '/app/%5cx',
    '/app/\u00e4',
    '/app/x#y',
    '/app/Public/x',
    '/app/%70ublic/x',
    '/app/%C0%AE/x',
  ])('%s may be read in two ways: 400', async (uri) => {
    for (const asked of [signedIn({ uri }), anonymous({ uri })])
      expectProblem(await ask(port, asked), 400, 'request_target_rejected')
  })

  it('is given elsewhere than at the three addresses', async () => {
    for (const path of ['/', '/checks', '/check/', '/Check', '/check/x', '/login', '/readyz', '/%63heck'])
      expect([path, (await ask(port, signedIn(), path)).status]).toEqual([path, 404])
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'HEAD', 'OPTIONS'])(
    'meets a forged %s, by the original method and never by that of the question',
    async (method) => {
      const foreign = {
        cookie,
        'sec-fetch-site': 'cross-site',
        'sec-fetch-mode': 'cors',
        'sec-fetch-dest': 'empty',
      }
      for (const headers of [
        { ...foreign, origin: 'https://evil.example' },
        foreign,
        { cookie },
        { cookie, ...ownFetch, origin: 'https://evil.example' },
        { cookie, 'sec-fetch-site': 'same-site' },
        { cookie, 'sec-fetch-site': 'none' },
      ]) {
        const answer = await ask(port, { uri: '/app/x', method, headers })
        expectProblem(answer, 403, 'csrf_rejected')
      }
    },
  )

  it('meets forms of other sites, and frames', async () => {
    const posted = { ...navigation('cross-site'), cookie, origin: 'https://evil.example' }
    expectPage(await ask(port, { uri: '/app/x', method: 'POST', headers: posted }), 403, 'csrf_rejected')
    const framed = { ...navigation('cross-site'), cookie, 'sec-fetch-dest': 'iframe' }
    expectPage(await ask(port, { uri: '/app/x', headers: framed }), 403, 'csrf_rejected')
  })
})

describe('a navigation', () => {
  const uri = '/app/orders?x=1&y=%2F'

  it('passes the guard whatever link led to it, with GET and HEAD', async () => {
    for (const site of ['none', 'same-origin', 'same-site', 'cross-site'])
      for (const method of ['GET', 'HEAD'])
        expectYes(await ask(port, { uri, method, headers: { ...navigation(site), cookie } }))
  })

  it.each(['none', 'same-origin'])('without a session from %s leads to the login and back', async (site) => {
    const answer = await ask(port, { uri, headers: navigation(site) }, '/check/redirect')
    expect([answer.status, answer.text(), answer.setCookies]).toEqual([303, '', []])
    expect(answer.headers.location).toBe(`${world.origin}/login?returnTo=${encodeURIComponent(uri)}`)
    expect(answer.headers['cache-control']).toBe('no-store')
    expectPage(await ask(port, { uri, headers: navigation(site) }), 401, 'session_missing')
    expectPage(await ask(port, { uri, headers: navigation(site) }, '/check/refusal'), 401, 'session_missing')
  })

  it.each(['cross-site', 'same-site'])('without a session from %s asks for itself again', async (site) => {
    for (const path of ['/check', '/check/redirect', '/check/refusal']) {
      const answer = await ask(port, { uri, headers: navigation(site) }, path)
      expect([answer.status, answer.setCookies]).toEqual([401, []])
      expect(answer.text()).toContain(`href="${world.origin}/app/orders?x=1&amp;y=%2F"`)
      expect(answer.headers['content-security-policy']).toMatch(/default-src 'none'.*script-src 'sha256-/)
      expect(answer.headers).not.toHaveProperty('location')
    }
  })

  it('with a session that has ended is treated like one without', async () => {
    const headers = { ...navigation('none'), cookie: `${cookie.split('=')[0]}=${'x'.repeat(43)}` }
    expect((await ask(port, { uri, headers }, '/check/redirect')).status).toBe(303)
  })

  it('comes back from the login to where it was', async () => {
    const answer = await ask(port, { uri, headers: navigation('none') }, '/check/redirect')
    const { search } = new URL(answer.headers.location ?? '')
    const done = await world.tryToSignIn(search)
    expect([done.status, done.headers.location]).toEqual([303, uri])
  })

  it('to what is proxied here is not led back to, so it is refused', async () => {
    const answer = await ask(port, { uri: '/both/x', headers: navigation('none') }, '/check/redirect')
    expectPage(answer, 401, 'session_missing')
  })

  it('of more than 2,048 bytes leads to a login that ends at the start page', async () => {
    const long = `/app/${'x'.repeat(3_000)}`
    const answer = await ask(port, { uri: long, headers: navigation('none') }, '/check/redirect')
    expect([answer.status, answer.headers.location]).toEqual([303, `${world.origin}/login?returnTo=%2F`])
  })

  it('is not what says so without being one', async () => {
    for (const part of [
      { 'sec-fetch-dest': 'empty' },
      { 'sec-fetch-mode': 'cors' },
      { 'sec-fetch-dest': '' },
    ]) {
      const answer = await ask(port, { uri, headers: { ...navigation('cross-site'), cookie, ...part } })
      expect([part, answer.status]).toEqual([part, 403])
    }
  })
})

describe('a WebSocket', () => {
  const uri = '/app/socket'

  it('of our own page may connect, upgrade header or not', async () => {
    expectYes(await ask(port, { uri, headers: { ...handshake(world.origin), cookie } }))
    const upgrade = { ...handshake(world.origin), cookie, connection: 'Upgrade', upgrade: 'websocket' }
    const answer = await ask(port, { uri, headers: upgrade })
    expectYes(answer)
    expect(answer.headers.authorization).toMatch(/^Bearer /)
  })

  it('of another page, or none, may not', async () => {
    for (const origin of ['https://evil.example', 'null', `${world.origin}0`])
      expectProblem(await ask(port, { uri, headers: { ...handshake(origin), cookie } }), 403, 'csrf_rejected')
    const { origin: _none, ...nameless } = handshake(world.origin)
    expectProblem(await ask(port, { uri, headers: { ...nameless, cookie } }), 403, 'csrf_rejected')
    const dressed = { ...navigation('cross-site'), ...handshake('https://evil.example'), cookie }
    expect((await ask(port, { uri, headers: dressed })).status).toBe(403)
  })

  it('is known by its key: which version it speaks is for the app to say', async () => {
    const headers = { ...handshake(world.origin), cookie }
    expectYes(await ask(port, { uri, headers: { ...headers, 'sec-websocket-version': '8' } }))
    const { 'sec-websocket-version': _version, ...unversioned } = handshake(world.origin)
    expectYes(await ask(port, { uri, headers: { ...unversioned, cookie } }))
  })

  it('begins with a GET, a key, and where the route takes one', async () => {
    const headers = { ...handshake(world.origin), cookie }
    expectProblem(await ask(port, { uri, method: 'POST', headers }), 400, 'request_invalid')
    expectProblem(await ask(port, { uri: '/silent/x', headers }), 400, 'request_invalid')
    expectProblem(
      await ask(port, { uri, headers: { ...headers, 'sec-websocket-key': 'x' } }),
      400,
      'request_invalid',
    )
  })

  it('of an event stream needs no more than a fetch', async () => {
    expectYes(await ask(port, signedIn({ headers: { accept: 'text/event-stream' } })))
  })
})

describe('the refusal', () => {
  const refused = (asked: Asked) => ask(port, asked, '/check/refusal')

  it('is the same refusal, told whole', async () => {
    expectProblem(await refused(anonymous()), 401, 'session_missing')
    expectProblem(await refused(signedIn({ uri: '/admins/x' })), 403, 'forbidden')
  })

  it('never is a yes: what would be let in now is told to ask again', async () => {
    for (const asked of [
      signedIn(),
      signedIn({ uri: '/app/public/x' }),
      signedIn({ uri: '/hooks/x', headers: { authorization: 'Basic eDp5' } }),
    ]) {
      const answer = await refused(asked)
      expectProblem(answer, 503, 'overloaded')
      expect(answer.headers['retry-after']).toBe('0')
      expect(answer.headers).not.toHaveProperty('authorization')
      expect(JSON.stringify(answer.headers)).not.toContain('eyJ')
    }
  })

  it('may lead to the login where it is asked for', async () => {
    const answer = await ask(port, { uri: '/app/x', headers: navigation('none') }, '/check/refusal/redirect')
    expect([answer.status, answer.headers.location]).toEqual([
      303,
      `${world.origin}/login?returnTo=%2Fapp%2Fx`,
    ])
  })
})

describe('the public listener', () => {
  it('knows nothing of it', async () => {
    for (const path of ['/check', '/check/redirect', '/check/refusal']) {
      const forged = {
        'x-forwarded-method': 'GET',
        'x-forwarded-uri': '/app/x',
        'x-forwarded-host': 'a',
        'x-forwarded-proto': 'https',
      }
      const answer = await world.get(path, { cookie, ...ownPage, ...forged })
      expect([path, answer.status]).toEqual([path, 404])
      expect(answer.headers).not.toHaveProperty('authorization')
      const page = await world.get(path, { cookie, ...navigation('same-origin'), ...forged })
      expect(page.headers).not.toHaveProperty('authorization')
    }
  })

  it('does not proxy what another proxy carries', async () => {
    expect((await world.get('/app/x', { cookie, ...ownPage })).status).toBe(404)
    expect(world.api.requests).toEqual([])
  })
})
