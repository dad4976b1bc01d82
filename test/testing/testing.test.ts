import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { main } from '../../src/commands/main.ts'
import { createTestSession, startTestProvider, type TestProvider } from '../../src/testing/testing.ts'
import { startTestApi, type TestApi } from '../support/api/api.ts'
import { createBrowser } from '../support/browser/browser-client.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway/gateway-process.ts'
import { freePort } from '../support/ports.ts'

const audience = 'https://orders.example.test'
const ada = { sub: 'ada', name: 'Ada Okafor', permissions: ['admin:orders'] }
const ben = { sub: 'ben', name: 'Ben Lindqvist', permissions: [] }

let provider: TestProvider
let api: TestApi
let gateway: GatewayProcess
let env: Readonly<Record<string, string>> & { readonly PORT: string }
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-testing-'))
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>app</title>')
  provider = await startTestProvider({
    audience,
    users: [ada, ben],
    accessTokenClaims: ({ permissions }) => ({ permissions }),
  })
  api = await startTestApi({ issuer: provider.issuer, audience, jwksUri: provider.jwksUrl })
  const port = await freePort()
  env = {
    ISSUER_URL: provider.issuer,
    CLIENT_ID: 'any',
    CLIENT_SECRET: 'any',
    API_AUDIENCE: audience,
    API_URL: api.url,
    BASE_URL: `http://127.0.0.1:${port}`,
    PORT: `${port}`,
    SESSION_SECRET: 'a-session-secret-for-tests-alone-0123456789',
    REDIS_URL: inject('redisUrl'),
    SPA_DIR: folder,
    LOG_FORMAT: 'json',
    DRAIN_DELAY: '0',
  }
  gateway = await startGatewayProcess(env)
  await gateway.ready()
})
afterAll(async () => {
  await gateway?.stop()
  await api?.stop()
  await provider?.stop()
  await rm(folder, { recursive: true, force: true })
})

const testing = { COATCHECK_TESTING: 'on' }
const create = (accessToken: string, changes: Readonly<Record<string, string>> = testing) =>
  createTestSession({ env: { ...env, ...changes }, user: ada, accessToken })
const call = (path: string, headers: Readonly<Record<string, string>>, method = 'GET') =>
  fetch(env.BASE_URL + path, { method, headers, redirect: 'manual' })

describe('a session of the test kit', () => {
  it('calls the API through a gateway that knows nothing of tests, with the token that it was given', async () => {
    const { headers, cookie, expiresAt } = await create(provider.accessToken(ada))
    const answer = await call('/api/orders', headers)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ sub: 'ada' })
    expect((await call('/api/admin', headers)).status).toBe(200)
    expect(await (await call('/session', headers)).json()).toMatchObject({
      authenticated: true,
      user: { sub: 'ada', name: 'Ada Okafor' },
    })
    expect(cookie).toMatchObject({
      name: `coatcheck-${new URL(env.BASE_URL ?? '').port}`,
      domain: '127.0.0.1',
      httpOnly: true,
      secure: false,
    })
    expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(3_500_000)
    expect((await call('/api/orders', { cookie: headers.cookie })).status).toBe(403)
  })

  it('lacks what the token lacks', async () => {
    const { headers } = await create(provider.accessToken(ada, { permissions: [] }))
    expect((await call('/api/admin', headers)).status).toBe(403)
  })

  it('is listed, and ends by a logout, as any other', async () => {
    const { headers } = await create(provider.accessToken(ada))
    const { sessions } = (await (await call('/sessions', headers)).json()) as {
      sessions: { browser: string }[]
    }
    expect(sessions.map(({ browser }) => browser)).toContain('Test')
    const answer = await call('/logout', headers, 'POST')
    expect(answer.status).toBe(303)
    const next = new URL(answer.headers.get('location') ?? '')
    expect([next.origin, next.searchParams.has('id_token_hint')]).toEqual([provider.issuer, false])
    expect((await call('/api/orders', headers)).status).toBe(401)
  })

  it('comes from the command too, for tests in other languages', async () => {
    const tokenFile = join(folder, 'token')
    await writeFile(tokenFile, `${provider.accessToken(ada)}\n`)
    const printed: string[] = []
    const run = (changes: Readonly<Record<string, string>>, complain: (line: string) => void) =>
      main({
        arguments: ['test-session', '--user', JSON.stringify(ada), '--access-token-file', tokenFile],
        readEnv: () => ({ ...env, ...changes }),
        print: (line) => printed.push(line),
        complain,
        isTerminal: false,
      })
    expect(await run(testing, (line) => expect(line).toBe(''))).toBe(0)
    const { headers } = JSON.parse(printed.join('\n'))
    expect((await call('/api/orders', headers)).status).toBe(200)
    const complained: string[] = []
    expect(await run({}, (line) => complained.push(line))).toBe(1)
    expect(complained).toEqual([expect.stringContaining('COATCHECK_TESTING=on')])
  })
})

describe('the test kit refuses', () => {
  it.each([
    ['without the flag', {}, 'set COATCHECK_TESTING=on'],
    ['with the flag off', { COATCHECK_TESTING: 'off' }, 'set COATCHECK_TESTING=on'],
    ['a gateway off loopback', { ...testing, BASE_URL: 'https://app.example.com' }, 'not on loopback'],
    ['a gateway without Redis', { ...testing, REDIS_URL: '' }, 'Set REDIS_URL'],
    ['a Redis that does not answer', { ...testing, REDIS_URL: 'redis://127.0.0.1:1' }, 'cannot be reached'],
    ['settings of no gateway', { ...testing, CLIENT_ID: '' }, 'CLIENT_ID: is missing'],
  ])('%s', async (_what, changes, text) => {
    await expect(create(provider.accessToken(ada), changes)).rejects.toThrow(text)
  })

  it.each([
    ['is opaque', () => 'opaque-token', 'opaque string'],
    ['is for another API', () => provider.accessToken(ada, { aud: 'https://other.example' }), 'audience'],
    ['has expired', () => provider.accessToken(ada, { exp: 1 }), 'has expired'],
    ['cannot be sent', () => 'two words', 'cannot stand behind'],
  ])('a token that %s, as a login would', async (_what, token, text) => {
    await expect(create(token())).rejects.toThrow(text)
  })

  it('a user without a sub', async () => {
    const user = { sub: '' }
    const session = createTestSession({
      env: { ...env, ...testing },
      user,
      accessToken: provider.accessToken(ada),
    })
    await expect(session).rejects.toThrow('no sub')
  })
})

describe('the provider of the test kit', () => {
  it('signs in a browser without asking anything, and lets it out again', async () => {
    const browser = createBrowser({ baseUrl: new URL(env.BASE_URL ?? '') })
    const tab = browser.tab()
    await tab.open('/login?returnTo=/')
    expect((await tab.fetch('/api/orders')).json()).toMatchObject({ sub: 'ada' })
    await tab.open('/login?returnTo=/&login_hint=ben')
    expect((await tab.fetch('/session')).json()).toMatchObject({ user: { name: 'Ben Lindqvist' } })
    const { answer } = await tab.open('/login?login_hint=nobody')
    expect(answer.status).toBe(403)
  })

  it('redeems each code and refresh token once, and a code only with its verifier', async () => {
    const authorize = new URL(`${provider.issuer}/authorize`)
    authorize.searchParams.set('redirect_uri', 'http://127.0.0.1/callback')
    authorize.searchParams.set('code_challenge', 'J8h190o_H-ci_4tiuqargVxyEmxMQwyLhxIHNP5q8BQ')
    const newCode = async () => {
      const { headers } = await fetch(authorize, { redirect: 'manual' })
      return new URL(headers.get('location') ?? '').searchParams.get('code') ?? ''
    }
    const redeem = async (parameters: Readonly<Record<string, string>>) => {
      const answer = await fetch(`${provider.issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams(parameters),
      })
      return { status: answer.status, tokens: (await answer.json()) as { refresh_token: string } }
    }
    const verifier = { code_verifier: 'the-verifier-of-this-test-0123456789abcdefghi' }
    expect((await redeem({ code: await newCode() })).status).toBe(400)
    const code = await newCode()
    const first = await redeem({ code, ...verifier })
    expect(first.status).toBe(200)
    expect((await redeem({ code, ...verifier })).status).toBe(400)
    const { refresh_token } = first.tokens
    expect((await redeem({ refresh_token })).status).toBe(200)
    expect((await redeem({ refresh_token })).status).toBe(400)
  })
})
