import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { claimsOf, createProofVerifier, valuesOf } from '../../support/api/proof-verifier.ts'
import { eventually } from '../../support/eventually.ts'
import { type Answer, exchange } from '../../support/exchange.ts'
import { type RunningGateway, startGateway } from '../../support/gateway/gateway.ts'
import { type ScriptedProvider, startScriptedProvider } from '../../support/provider/scripted-provider.ts'
import { type RedisServer, startRedis } from '../../support/redis/redis.ts'
import { sessionCookieOf } from '../../support/worlds/scripted-pair.ts'

let redis: RedisServer
let provider: ScriptedProvider
let api: Server
let apiUrl: string
let folder: string
/** Nodes of one gateway, of which one has been told already. */
let bound: RunningGateway
let unbound: RunningGateway
/** How each call came to the API: its scheme, its key where it has proved to have one, and the audience of its token. */
const calls: { scheme: string; key: string | undefined; audience: unknown }[] = []
/** How far everybody's clock is ahead. */
let aheadMs = 0
const now = () => Date.now() + aheadMs
const apiVerifier = createProofVerifier(undefined, now)

beforeAll(async () => {
  redis = await startRedis()
  provider = await startScriptedProvider({ now })
  api = createServer((request, response) => {
    const { method = '', url = '', rawHeaders } = request
    const [scheme = '', accessToken = ''] = request.headers.authorization?.split(' ') ?? []
    const proofs = valuesOf(rawHeaders, 'dpop')
    const received = { proofs, method, url: `${apiUrl}${url}`, accessToken }
    const key = proofs.length === 0 ? undefined : apiVerifier.verify(received)
    const { cnf, aud } = claimsOf(accessToken) as { cnf?: { jkt: string }; aud: unknown }
    calls.push({ scheme, key, audience: aud })
    response.writeHead(cnf?.jkt === key ? 200 : 401).end()
  })
  await once(api.listen(0, '127.0.0.1'), 'listening')
  apiUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-switched-'))
  const routes = [
    { prefix: '/api', upstream: apiUrl },
    { prefix: '/exchanged', upstream: apiUrl, token: 'exchange', audience: 'https://other.example.test' },
  ]
  await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes }))
  bound = await startGateway(environment('dpop'), { now })
  unbound = await startGateway(environment('none'), { now })
})
beforeEach(() => {
  calls.length = 0
  provider.faults.dpop = { isOptional: true }
  // Refreshed with every call.
  provider.faults.token = (answer, form) => ({
    body: {
      ...answer,
      expires_in: form.get('grant_type')?.includes('exchange') ? 60 : 1,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    },
  })
})
afterAll(async () => {
  await bound.stop()
  await unbound.stop()
  api.close()
  await provider.stop()
  await redis.stop()
  await rm(folder, { recursive: true })
})

const secret = 'session-secret-of-a-switched-setting-0123'
const environment = (binding: string) => ({
  ISSUER_URL: provider.issuer,
  CLIENT_ID: provider.clientId,
  CLIENT_SECRET: provider.clientSecret,
  API_AUDIENCE: provider.audience,
  ROUTES_FILE: join(folder, 'routes.json'),
  BASE_URL: 'https://app.example.test',
  SESSION_SECRET: secret,
  SESSION_STORE: 'redis',
  REDIS_URL: redis.url,
  TOKEN_BINDING: binding,
})

function send(at: RunningGateway, path: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const address = { host: '127.0.0.1', port: at.port }
  const url = new URL(path, 'https://app.example.test')
  return exchange({ method: 'GET', url, headers: { 'x-csrf': '1', ...headers }, address })
}

async function signIn(at: RunningGateway, cookie = ''): Promise<string> {
  const begun = await send(at, '/login', cookie === '' ? {} : { cookie })
  const query = provider.approve(new URL(begun.headers.location ?? ''))
  const transaction = begun.setCookies[0]?.split(';')[0] ?? ''
  const session = sessionCookieOf(await send(at, `/callback?${query}`, { cookie: transaction }))
  if (session === undefined) throw new Error('the login failed')
  return session
}

const isReady = (at: RunningGateway) =>
  eventually(async () => expect((await send(at, '/readyz', {})).status).toBe(200))

const grants = () => provider.requests.filter(({ path }) => path === '/token')
const proofsOf = (from: number) =>
  grants()
    .slice(from)
    .map(({ rawHeaders }) => valuesOf(rawHeaders, 'dpop'))

describe('TOKEN_BINDING, switched while there are sessions', () => {
  it('on: a session without a key goes on as bearer through its refreshes, and is bound from its next login on', async () => {
    const cookie = await signIn(unbound)
    const before = grants().length
    for (const node of [bound, unbound, bound]) {
      aheadMs += 61_000
      expect((await send(node, '/api/orders', { cookie })).status).toBe(200)
    }
    expect(proofsOf(before).length).toBe(3)
    expect(proofsOf(before).flat()).toEqual([])
    expect(calls.map(({ scheme, key }) => [scheme, key])).toEqual(Array(3).fill(['Bearer', undefined]))
    await send(bound, '/api/orders', { cookie: await signIn(bound, cookie) })
    expect(calls.at(-1)).toMatchObject({ scheme: 'DPoP', key: expect.any(String) })
  })

  it('off: a session with a key keeps it on every node, at the provider and at the API', async () => {
    const cookie = await signIn(bound)
    const before = grants().length
    for (const node of [unbound, bound, unbound]) {
      aheadMs += 61_000
      expect((await send(node, '/api/orders', { cookie })).status).toBe(200)
    }
    expect(proofsOf(before).length).toBe(3)
    expect(proofsOf(before).every(({ length }) => length === 1)).toBe(true)
    expect(new Set(calls.map(({ key }) => key)).size).toBe(1)
    expect(calls.map(({ scheme }) => scheme)).toEqual(Array(3).fill('DPoP'))
  })
})

describe('a session whose tokens are bound to a key', () => {
  it('keeps it while SESSION_SECRET is rotated, on the node that knows the new one and on the others', async () => {
    const cookie = await signIn(bound)
    const changed = { SESSION_SECRET: `another-${secret},${secret}` }
    const rotated = await startGateway({ ...environment('dpop'), ...changed }, { now })
    const both = { SESSION_SECRET: `${secret},another-${secret}` }
    const node = await startGateway({ ...environment('dpop'), ...both }, { now })
    try {
      await Promise.all([rotated, node].map(isReady))
      for (const at of [node, rotated, node, rotated]) {
        // Refreshed, and so written under the first secret of this node.
        aheadMs += 61_000
        const answer = await send(at, '/api/orders', { cookie })
        expect([answer.status, answer.text()]).toEqual([200, ''])
      }
      expect(new Set(calls.map(({ key }) => key)).size).toBe(1)
      expect(calls.map(({ scheme }) => scheme)).toEqual(Array(4).fill('DPoP'))
    } finally {
      await rotated.stop()
      await node.stop()
    }
  })

  it.each([
    ['by its clock', 400, { error: 'invalid_dpop_proof' }, 502],
    ['by its clock, with 401', 401, { error: 'invalid_dpop_proof' }, 502],
    ['for want of nonces that it never takes', 400, { error: 'use_dpop_nonce' }, 503],
  ])('is kept when the provider refuses its proof %s', async (_what, status, body, expected) => {
    const cookie = await signIn(bound)
    const usual = provider.faults.token
    let turn = 0
    provider.faults.token = () => {
      turn += 1
      return { status, body, headers: { 'dpop-nonce': `nonce-${turn}` } }
    }
    aheadMs += 61_000
    const before = grants().length
    expect((await send(bound, '/api/orders', { cookie })).status).toBe(expected)
    expect(grants().length - before).toBeLessThanOrEqual(2)
    expect((await send(bound, '/session', { cookie })).json()).toMatchObject({ authenticated: true })
    Object.assign(provider.faults, { token: usual })
    aheadMs += 61_000
    expect((await send(bound, '/api/orders', { cookie })).status).toBe(200)
    expect(calls.at(-1)?.scheme).toBe('DPoP')
  })
})

describe('a bound token that is exchanged', () => {
  it('is exchanged with a proof, by the provider’s nonce, for one that is bound to the same key', async () => {
    const cookie = await signIn(bound)
    await send(bound, '/api/orders', { cookie })
    provider.faults.dpop = { isOptional: true, nonces: () => ['of-the-provider'] }
    for (const node of [bound, unbound])
      expect((await send(node, '/exchanged/orders', { cookie })).status).toBe(200)
    const keys = new Set(calls.map(({ key }) => key))
    expect([keys.size, keys.has(undefined)]).toEqual([1, false])
    expect(calls.at(-1)).toMatchObject({ scheme: 'DPoP', audience: ['https://other.example.test'] })
  })

  it.each(['Bearer', 'another key'])('is not used when what comes is %s', async (what) => {
    const cookie = await signIn(bound)
    const usual = provider.faults.token
    provider.faults.token = (answer, form) => {
      if (what === 'Bearer' && form.get('grant_type')?.includes('exchange'))
        return { body: { ...(usual?.(answer, form)?.body as object), token_type: 'Bearer' } }
      return usual?.(answer, form)
    }
    provider.faults.accessToken = (claims, _header, form) => {
      if (what !== 'Bearer' && form.get('grant_type')?.includes('exchange'))
        claims.cnf = { jkt: 'A'.repeat(43) }
      return undefined
    }
    const answer = await send(bound, '/exchanged/orders', { cookie })
    delete provider.faults.accessToken
    expect([answer.status, answer.json<{ code: string }>().code]).toEqual([502, 'access_token_unusable'])
    expect(calls).toEqual([])
    expect((await send(bound, '/api/orders', { cookie })).status).toBe(200)
  })
})
