import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../../support/expect-problem.ts'
import { type ScriptedAnswer, unsigned } from '../../support/provider/scripted-provider.ts'
import { type FaultWorld, sessionCookieOf, startFaultWorld } from '../../support/worlds/fault-world.ts'

let world: FaultWorld
const start = (settings: Readonly<Record<string, string>> = {}, isAnnounced = true) =>
  startFaultWorld({ PUSHED_AUTHORIZATION_REQUESTS: 'on', ...settings }, ({ faults, issuer }) => {
    faults.discovery = (metadata) =>
      isAnnounced ? { ...metadata, pushed_authorization_request_endpoint: `${issuer}/par` } : metadata
  })
const says = (answer: ScriptedAnswer): void => {
  world.provider.faults.push = () => answer
}
const begin = (headers = {}) => world.request('GET', '/login?login_hint=ada', headers)

describe('a pushed authorization request', () => {
  beforeAll(async () => {
    world = await start({ RATE_LIMIT: 'off', AUTHORIZATION_PARAMETERS: 'organization=acme' })
  })
  afterAll(() => world?.stop())
  afterEach(() => {
    delete world.provider.faults.push
  })

  it('carries everything, those of the link and of the operator too; the browser has the reference alone', async () => {
    const started = await begin()
    const url = new URL(started.headers.location ?? '')
    expect([...url.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri'])
    const pushed = world.provider.requests.findLast(({ path }) => path === '/par')
    expect(Object.fromEntries(pushed?.form ?? [])).toMatchObject({
      login_hint: 'ada',
      organization: 'acme',
      audience: world.provider.audience,
      code_challenge_method: 'S256',
    })
    expect(sessionCookieOf(await world.logIn())).toBeDefined()
  })

  it.each<readonly [string, ScriptedAnswer, number, 'provider_unavailable' | 'provider_rejected']>([
    ['an OAuth error', { status: 400, body: { error: 'invalid_request' } }, 502, 'provider_rejected'],
    ['a refused client', { status: 401, body: { error: 'invalid_client' } }, 502, 'provider_rejected'],
    ['429', { status: 429, body: {} }, 503, 'provider_unavailable'],
    ['503', { status: 503, body: {} }, 503, 'provider_unavailable'],
    ['a page', { status: 201, body: '<html>' }, 503, 'provider_unavailable'],
    ['no reference', { status: 201, body: { expires_in: 60 } }, 503, 'provider_unavailable'],
    ['nothing', { send: (response) => response.destroy() }, 503, 'provider_unavailable'],
  ])('that is answered with %s begins no login', async (_what, answer, status, code) => {
    says(answer)
    const refused = await begin()
    expectProblem(refused, status, code)
    expect(refused.setCookies).toEqual([])
    // The next one is asked again: one failure is none of the provider's.
    delete world.provider.faults.push
    expect((await begin()).status).toBe(303)
  })

  it('that is refused with a challenge is told in the words of the body too', async () => {
    const headers = { 'www-authenticate': 'Basic realm="push"' }
    const body = { error: 'invalid_client', error_description: 'the secret has run out' }
    says({ status: 401, headers, body })
    expectProblem(await begin(), 502, 'provider_rejected')
    expect(world.log()).toContain('the secret has run out')
  })

  it('that is refused in words which repeat it brings no secret of it into the log', async () => {
    world.provider.faults.push = () => {
      const form = world.provider.requests.findLast(({ path }) => path === '/par')?.form
      const words = ['state', 'nonce', 'client_secret'].map((name) => form?.get(name) ?? 'nothing')
      return { status: 400, body: { error: 'invalid_request', error_description: words.join(' ') } }
    }
    expectProblem(await begin(), 502, 'provider_rejected')
    expect(world.log()).toContain('"[a secret] [a secret] [a secret]"')
  })

  it('is not made while pushes fail, and the rest of a login that is under way is', async () => {
    // What went well before no longer counts.
    world.advance(11_000)
    const started = await begin()
    const query = world.provider.approve(new URL(started.headers.location ?? ''))
    says({ send: (response) => response.destroy() })
    const countAsked = async (): Promise<number> => {
      const before = world.provider.count('/par')
      expectProblem(await begin(), 503, 'provider_unavailable')
      return world.provider.count('/par') - before
    }
    for (let asked = 1; (await countAsked()) > 0; asked += 1) expect(asked).toBeLessThan(50)
    const cookie = started.setCookies[0]?.split(';')[0] ?? ''
    expect(sessionCookieOf(await world.request('GET', `/callback?${query}`, { cookie }))).toBeDefined()
    delete world.provider.faults.push
    world.advance(60_000)
    expect((await begin()).status).toBe(303)
  })
})

describe('pushes from one address', () => {
  beforeAll(async () => {
    world = await start({ RATE_LIMIT: 'on', TRUST_PROXY: '127.0.0.1/32' })
  })
  afterAll(() => world?.stop())

  it('are thirty at once and then 429, while another address signs in', async () => {
    const statuses: number[] = []
    for (let n = 0; n < 40; n += 1) statuses.push((await begin({ 'x-forwarded-for': '203.0.113.7' })).status)
    expect(statuses.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 303))
    expect(statuses).toContain(429)
    expect((await begin({ 'x-forwarded-for': '203.0.113.8' })).status).toBe(303)
  })
})

describe('PUSHED_AUTHORIZATION_REQUESTS=on', () => {
  beforeAll(async () => {
    world = await start({}, false)
  })
  afterAll(() => world?.stop())

  it('is 502 at a provider that takes none', async () => {
    expectProblem(await begin(), 502, 'provider_rejected')
  })
})

describe('a push that the key of the client cannot prove', () => {
  beforeAll(async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
    const settings = {
      CLIENT_AUTHENTICATION: 'private_key_jwt',
      CLIENT_KEY: `${privateKey.export({ format: 'pem', type: 'pkcs8' })}`,
    }
    world = await startFaultWorld(
      { PUSHED_AUTHORIZATION_REQUESTS: 'on', ...settings },
      ({ faults, issuer }) => {
        faults.discovery = (metadata) => ({
          ...metadata,
          pushed_authorization_request_endpoint: `${issuer}/par`,
          token_endpoint_auth_signing_alg_values_supported: ['ES256'],
        })
      },
    )
  })
  afterAll(() => world?.stop())

  it('is 502, with the reason', async () => {
    expectProblem(await begin(), 502, 'provider_rejected')
    expect(world.log()).toContain('no algorithm that CLIENT_KEY can sign with')
  })
})

describe('an assertion of the platform that is not there yet', () => {
  const folder = mkdtempSync(join(tmpdir(), 'coatcheck-assertion-'))
  const file = join(folder, 'token')
  beforeAll(async () => {
    world = await start({
      RATE_LIMIT: 'off',
      CLIENT_AUTHENTICATION: 'assertion',
      CLIENT_ASSERTION_FILE: file,
    })
  })
  afterAll(async () => {
    await world?.stop()
    rmSync(folder, { recursive: true })
  })

  it('is our own fault: once it is there the next login is pushed, however many have failed', async () => {
    for (let n = 0; n < 30; n += 1) expectProblem(await begin(), 503, 'provider_unavailable')
    expect(world.log()).toContain('no CLIENT_ASSERTION_FILE yet')
    expect(world.log()).not.toContain('pushes fail')
    writeFileSync(file, unsigned({ sub: 'system:serviceaccount:default:gateway' }, { alg: 'RS256' }))
    expect((await begin()).status).toBe(303)
  })
})
