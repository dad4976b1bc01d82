import { createHash, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exchange } from '../../support/exchange.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { adminOf } from '../../support/gateway/admin.ts'
import { freePort } from '../../support/ports.ts'
import { type Asked, ask, navigation, ownFetch } from '../../support/questions.ts'
import { type AccessWorld, startAccessWorld } from '../../support/worlds/access-world.ts'
import { frontendUrls, startHouse, type TestHouse } from '../../support/worlds/house.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

describe('two workers off loopback', () => {
  let world: World
  let port: number
  let adminPort: number
  /** What the proxies of TRUST_PROXY come from. */
  const proxy = '127.0.0.2'

  beforeAll(async () => {
    port = await freePort()
    adminPort = await freePort()
    world = await startWorld({
      settings: {
        WORKERS: '2',
        FORWARD_AUTH_PORT: `${port}`,
        // Loopback in clothes that are not known as such: it stands for 0.0.0.0.
        FORWARD_AUTH_HOST: '::ffff:127.0.0.1',
        FORWARD_AUTH_HEADERS: 'x-original',
        TRUST_PROXY: proxy,
        ADMIN_PORT: `${adminPort}`,
        DRAIN_DELAY: '1',
      },
    })
  })
  afterAll(() => world?.stop())

  const question = (headers: Readonly<Record<string, string>> = {}, localAddress = proxy, path = '/check') =>
    exchange({
      method: 'GET',
      url: new URL(path, `http://127.0.0.1:${port}`),
      address: { host: '127.0.0.1', port, localAddress },
      headers: {
        'x-original-method': 'GET',
        'x-original-uri': '/api/orders',
        'x-forwarded-host': world.baseUrl.host,
        'x-forwarded-proto': 'https',
        ...ownFetch,
        ...headers,
      },
    })

  it('hear nobody but the proxies of TRUST_PROXY, whatever is asked', async () => {
    for (const path of ['/check', '/check/redirect', '/check/refusal', '/', '/x']) {
      const answer = await question({ 'x-forwarded-for': proxy }, '127.0.0.1', path)
      expectProblem(answer, 403, 'forbidden')
    }
    expectProblem(await question(), 401, 'session_missing')
  })

  it('answer for one session, on every connection, until it ends', async () => {
    const browser = world.browser()
    const tab = await world.signIn(browser)
    const cookie = `${world.sessionCookieName}=${world.sessionCookie(browser)}`
    const admin = adminOf(world, adminPort)
    const answers = await Promise.all(Array.from({ length: 12 }, () => question({ cookie })))
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200))
    const scraped = await admin.scrape()
    const counted = scraped.sum('coatcheck_request_duration_seconds_count', { route: '/check' })
    expect(counted).toBeGreaterThanOrEqual(12)
    await tab.submit('/logout', {})
    for (const { status } of await Promise.all(Array.from({ length: 12 }, () => question({ cookie }))))
      expect(status).toBe(401)
  })

  it('write into the log which line the proxy lacks, and nothing of the question', async () => {
    const gateway = world.gateways[0]
    const { 'x-original-uri': _none, ...rest } = {
      'x-original-uri': '',
      'x-forwarded-uri': '/api/secret-path',
    }
    const answer = await question({ ...rest, 'x-original-uri': '' })
    expectProblem(answer, 400, 'request_invalid')
    await gateway?.wrote('X-Original-URI')
    const line = gateway?.log().find(({ header }) => header === 'X-Original-URI')
    expect(line).toMatchObject({
      level: 'warn',
      fault: 'empty',
      lacks: 'nginx: proxy_set_header X-Original-URI $request_uri;',
    })
    expect(gateway?.output()).not.toContain('secret-path')
  })

  it('say so when the store is away, to fetches and pages, and let nobody in or out', async () => {
    const browser = world.browser()
    await world.signIn(browser)
    const cookie = `${world.sessionCookieName}=${world.sessionCookie(browser)}`
    await world.redis.stop()
    const unknown = `${world.sessionCookieName}=${'x'.repeat(43)}`
    expectProblem(await question({ cookie: unknown }), 503, 'session_store_unavailable')
    const page = await question({ cookie: unknown, ...navigation('none') }, proxy, '/check/redirect')
    expect([page.status, page.headers.location]).toEqual([503, undefined])
    expect((await question({ cookie }, proxy, '/check/refusal')).status).toBe(503)
  })

  it('answer while they drain, each answer the last on its connection, and then end in order', async () => {
    const gateway = world.gateways[0]
    gateway?.terminate()
    await gateway?.wrote('shutting down')
    const answer = await question()
    expect(answer.status).toBe(401)
    expect(answer.headers.connection).toBe('close')
    expect(await gateway?.exited).toBe(0)
  })
})

describe('several frontends', () => {
  let house: TestHouse
  let port: number

  beforeAll(async () => {
    port = await freePort()
    house = await startHouse({
      env: { FORWARD_AUTH_PORT: `${port}` },
      changes: {
        shop: { API_URL: undefined, routes: [{ prefix: '/pages', upstream: 'external' }] },
        desk: {
          API_URL: undefined,
          routes: [
            { prefix: '/pages', upstream: 'external' },
            { prefix: '/', upstream: 'external', auth: 'none' },
          ],
        },
      },
    })
  })
  afterAll(() => house.stop())

  const shop = new URL(frontendUrls.shop).host
  const internal = new URL(frontendUrls.desk).host

  it('are told apart by the original host and path, before anybody has been there', async () => {
    const of = (host: string, uri: string): Asked => ({ host, uri, headers: ownFetch })
    expectProblem(await ask(port, of(shop, '/pages/x')), 401, 'session_missing')
    const desk = await ask(port, of(internal, '/desk/pages/x'))
    expectProblem(desk, 401, 'session_missing')
    expect(desk.json()).toMatchObject({ loginUrl: '/desk/login' })
    expect((await ask(port, of(internal, '/desk/other'))).status).toBe(200)
    expectProblem(await ask(port, of(internal, '/till/x')), 403, 'not_found')
    for (const asked of [of('evil.example', '/pages/x'), of(internal, '/pages/x'), of(internal, '/deskx')])
      expectProblem(await ask(port, asked), 421, 'misdirected_request')
    for (const host of ['a.example.test.', `u@${shop}`, `${shop}, ${shop}`, `${shop}:0`])
      expectProblem(await ask(port, of(host, '/pages/x')), 400, 'request_invalid')
    expect((await ask(port, of(`${shop.toUpperCase()}:443`, '/pages/x'))).status).toBe(401)
  })

  it('know only their own sessions, and take away the cookies of all', async () => {
    const [ofShop, ofDesk] = [await house.signIn('shop'), await house.signIn('desk')]
    const cookie = `${ofShop}; ${ofDesk}; theme=dark`
    const answer = await ask(port, { host: shop, uri: '/pages/x', headers: { ...ownFetch, cookie } })
    expect([answer.status, answer.headers.cookie]).toEqual([200, 'theme=dark'])
    expect(answer.headers.authorization).toMatch(/^Bearer /)
    const wrong = await ask(port, {
      host: internal,
      uri: '/desk/pages/x',
      headers: { ...ownFetch, cookie: ofShop },
    })
    expectProblem(wrong, 401, 'session_missing')
  })

  it('lead pages to the login of their own', async () => {
    const asked = { host: internal, uri: '/desk/pages/x?y=1', headers: navigation('none') }
    const answer = await ask(port, asked, '/check/redirect')
    expect([answer.status, answer.headers.location]).toEqual([
      303,
      `https://${internal}/desk/login?returnTo=${encodeURIComponent(asked.uri)}`,
    ])
  })
})

describe('a caller with a token that is bound to a key', () => {
  let world: AccessWorld
  let port: number
  beforeAll(async () => {
    port = await freePort()
    const route = { upstream: 'external', callers: ['bearer'], token: 'none' }
    world = await startAccessWorld([{ prefix: '/machines', ...route }], { FORWARD_AUTH_PORT: `${port}` })
  })
  afterAll(() => world.stop())

  it('proves that it has the key once for each request, and not again for its refusal', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const jwk = await exportJWK(publicKey)
    const token = await world.bearer({ cnf: { jkt: await calculateJwkThumbprint(jwk) } })
    const proof = (htu: string, htm = 'GET') =>
      new SignJWT({
        jti: randomUUID(),
        htm,
        htu,
        ath: createHash('sha256').update(token).digest('base64url'),
      })
        .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
        .setIssuedAt()
        .sign(privateKey)
    const of = async (htu: string, method = 'GET'): Promise<Asked> => ({
      uri: '/machines/x?y=1',
      method,
      headers: { authorization: `DPoP ${token}`, dpop: await proof(htu, method) },
    })
    const asked = await of(`${world.origin}/machines/x`, 'POST')
    expect((await ask(port, asked, '/check/refusal')).status).toBe(503)
    expect((await ask(port, asked)).status).toBe(200)
    expectProblem(await ask(port, asked), 401, 'bearer_invalid')
    expect((await ask(port, asked, '/check/refusal')).status).toBe(503)
    expectProblem(await ask(port, await of(`${world.origin}/check`)), 401, 'bearer_invalid')
    expectProblem(await ask(port, { ...asked, method: 'GET' }), 401, 'bearer_invalid')
  })
})
