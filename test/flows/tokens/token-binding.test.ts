import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as sendRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { changingNonces, claimsOf, createProofVerifier, valuesOf } from '../../support/api/proof-verifier.ts'
import { type ProvingApi, startProvingApi } from '../../support/api/proving-api.ts'
import { type Answer, exchange } from '../../support/exchange.ts'
import { type RunningGateway, startGateway } from '../../support/gateway/gateway.ts'
import { freePort } from '../../support/ports.ts'
import { type ScriptedProvider, startScriptedProvider } from '../../support/provider/scripted-provider.ts'

let provider: ScriptedProvider
let api: ProvingApi
let gateway: RunningGateway
let folder: string
let cookie: string
/** Where other proxies ask. */
let checkPort: number
/** How far the gateway's clock is behind. */
let lagMs = 0
const now = () => Date.now() - lagMs

beforeAll(async () => {
  provider = await startScriptedProvider()
  provider.faults.dpop = {}
  api = await startProvingApi(() => provider.publicKeys)
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-binding-'))
  const { port } = new URL(api.url)
  const routes = [
    { prefix: '/api', upstream: `${api.url}/v1/` },
    { prefix: '/named', upstream: `${api.url}/v2`, proofUrl: 'https://api.example.test/public/' },
    { prefix: '/root', upstream: api.url },
    { prefix: '/own', upstream: api.url, auth: 'none', forwardAuthorization: true },
    { prefix: '/carried', upstream: 'external', proofUrl: 'https://carried.example.test/base' },
    { prefix: '/open', upstream: `http://127.0.0.1:${port}/open`, auth: 'none' },
  ]
  await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes }))
  checkPort = await freePort()
  gateway = await startGateway(environment({ FORWARD_AUTH_PORT: `${checkPort}` }), { now })
  cookie = await signIn(gateway)
})
beforeEach(() => {
  api.calls.length = 0
  Object.assign(api.behaviour, { nonces: () => [], answerEarly: false, name: api.url, otherChallenges: '' })
})
afterAll(async () => {
  await gateway.stop()
  await api.stop()
  await provider.stop()
  await rm(folder, { recursive: true })
})

function environment(changes: Readonly<Record<string, string>> = {}) {
  return {
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: provider.clientSecret,
    API_AUDIENCE: provider.audience,
    ROUTES_FILE: join(folder, 'routes.json'),
    BASE_URL: 'https://app.example.test',
    SESSION_SECRET: 'session-secret-of-bound-tokens-0123456789',
    SESSION_STORE: 'memory',
    TOKEN_BINDING: 'dpop',
    ...changes,
  }
}

interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

function send(
  path: string,
  { method = 'GET', headers = {}, body }: Sent = {},
  at = gateway,
): Promise<Answer> {
  const url = new URL(path, 'https://app.example.test')
  const address = { host: '127.0.0.1', port: at.port }
  return exchange({ method, url, body, address, headers: { 'x-csrf': '1', ...headers } })
}

const call = (path: string, sent: Sent = {}) => send(path, { ...sent, headers: { cookie, ...sent.headers } })

async function signIn(at: RunningGateway): Promise<string> {
  const begun = await send('/login', {}, at)
  const query = provider.approve(new URL(begun.headers.location ?? ''))
  const transaction = begun.setCookies[0]?.split(';')[0] ?? ''
  const answer = await send(`/callback?${query}`, { headers: { cookie: transaction } }, at)
  const session = answer.setCookies.find((one) => /^__Host-Http-coatcheck=[\w-]{43};/.test(one))
  if (session === undefined) throw new Error(`${answer.status} ${answer.text()}`)
  return session.split(';')[0] ?? ''
}

const lastCall = () => api.calls.at(-1)
const proofOf = (rawHeaders: readonly string[] = []) => valuesOf(rawHeaders, 'dpop')[0] ?? ''
const tokenOf = (rawHeaders: readonly string[] = []) =>
  valuesOf(rawHeaders, 'authorization')[0]?.slice(5) ?? ''
const faults = () => api.calls.map(({ fault }) => fault)

describe('an API that demands proofs', () => {
  it.each([
    ['GET', '/api/orders?page=2', undefined],
    ['GET', '/api', undefined],
    ['GET', '/root', undefined],
    ['HEAD', '/api/orders', undefined],
    ['DELETE', '/api/a%20b/%C3%A4', undefined],
    ['POST', '/api/orders', 'x'.repeat(1_000_000)],
  ])('takes %s %s', async (method, path, body) => {
    const answer = await call(path, { method, ...(body === undefined ? {} : { body }) })
    expect([answer.status, faults()]).toEqual([200, ['']])
  })

  it('is sent one proof and one token, and nothing of the browser in their place', async () => {
    const forged = { authorization: 'DPoP forged', dpop: 'forged', DPoP: 'forged', d_po_p: 'x' }
    await call('/api/orders', { headers: forged })
    const { rawHeaders = [] } = lastCall() ?? {}
    expect(valuesOf(rawHeaders, 'dpop')).toHaveLength(1)
    expect(valuesOf(rawHeaders, 'authorization')).toHaveLength(1)
    expect(rawHeaders.join(' ')).not.toContain('forged')
    expect(claimsOf(proofOf(rawHeaders)).nonce).toBeUndefined()
  })

  it('is named in proofs by proofUrl and the rest of the path', async () => {
    api.behaviour.name = ''
    await call('/named/orders/1?x=1')
    expect(claimsOf(proofOf(lastCall()?.rawHeaders)).htu).toBe('https://api.example.test/public/orders/1')
    await call('/named')
    expect(claimsOf(proofOf(lastCall()?.rawHeaders)).htu).toBe('https://api.example.test/public')
  })

  it('has its events read', async () => {
    const { port } = gateway
    const first = await new Promise<string>((resolve, reject) => {
      const request = sendRequest({
        host: '127.0.0.1',
        port,
        path: '/api/events',
        headers: { cookie, host: 'app.example.test', 'x-csrf': '1' },
      })
      request.on('response', (answer) =>
        answer.once('data', (chunk) => {
          resolve(String(chunk))
          request.destroy()
        }),
      )
      request.on('error', reject).end()
    })
    expect([first, faults()]).toEqual(['data: hello\n\n', ['']])
  })

  it('is spoken to by WebSocket, the proof in the handshake', async () => {
    expect(await echo('/api/socket?room=1')).toBe('hello')
    expect(lastCall()).toMatchObject({ status: 101, fault: '' })
  })

  it("gets the browser's own proof only where nobody signs in and it is let through", async () => {
    await send('/own/x', { headers: { authorization: 'DPoP own', dpop: 'own-proof' } })
    expect(valuesOf(lastCall()?.rawHeaders ?? [], 'dpop')).toEqual(['own-proof'])
    await send('/open/x', { headers: { authorization: 'DPoP own', dpop: 'own-proof' } })
    expect(valuesOf(lastCall()?.rawHeaders ?? [], 'dpop')).toEqual([])
  })
})

function echo(path: string): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, {
    headers: { cookie, host: 'app.example.test', origin: 'https://app.example.test' },
  })
  return new Promise((resolve, reject) => {
    socket.on('open', () => socket.send('hello'))
    socket.on('message', (data) => {
      resolve(String(data))
      socket.close()
    })
    socket.on('unexpected-response', (_request, answer) => resolve(`status ${answer.statusCode}`))
    socket.on('error', reject)
  })
}

describe('an API that another proxy carries requests to', () => {
  it('is sent the token with a proof for its own address', async () => {
    const answer = await exchange({
      method: 'GET',
      url: new URL(`http://127.0.0.1:${checkPort}/check`),
      headers: {
        cookie,
        'x-csrf': '1',
        'x-forwarded-method': 'PUT',
        'x-forwarded-uri': '/carried/orders/1?page=2',
        'x-forwarded-host': 'app.example.test',
        'x-forwarded-proto': 'https',
      },
    })
    expect(answer.status).toBe(200)
    const [accessToken] = /[^ ]+$/.exec(answer.headers.authorization ?? '') ?? []
    expect(answer.headers.authorization).toBe(`DPoP ${accessToken}`)
    const url = 'https://carried.example.test/base/orders/1'
    const proofs = [answer.headers.dpop ?? '']
    const jkt = createProofVerifier().verify({ proofs, method: 'PUT', url, accessToken })
    expect(claimsOf(accessToken).cnf).toEqual({ jkt })
  })
})

describe('whoever copies what the API was sent', () => {
  const again = (rawHeaders: readonly string[], method = 'GET', path = '/v1/orders') =>
    exchange({
      method,
      url: new URL(path, api.url),
      headers: { authorization: `DPoP ${tokenOf(rawHeaders)}`, dpop: proofOf(rawHeaders) },
    })
  /** A proof of somebody who has the token and not its key. */
  const forge = (token: string, changes: object = {}): string => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const ath = createAth(token)
    const claims = {
      jti: `${Math.random()}`,
      htm: 'GET',
      htu: `${api.url}/v1/orders`,
      iat: Math.floor(Date.now() / 1_000),
      ath,
    }
    const input = `${part({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicKey.export({ format: 'jwk' }) })}.${part({ ...claims, ...changes })}`
    return `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
  const createAth = (token: string) => createHash('sha256').update(token).digest('base64url')

  it('gets nowhere: not with the same proof, nor elsewhere, nor later, nor with a key of their own', async () => {
    await call('/api/orders')
    const { rawHeaders = [] } = lastCall() ?? {}
    api.calls.length = 0
    await again(rawHeaders)
    await again(rawHeaders, 'DELETE')
    await again(rawHeaders, 'GET', '/v1/admin')
    const token = tokenOf(rawHeaders)
    await exchange({
      method: 'GET',
      url: new URL('/v1/orders', api.url),
      headers: { authorization: `DPoP ${token}`, dpop: forge(token) },
    })
    await exchange({
      method: 'GET',
      url: new URL('/v1/orders', api.url),
      headers: { authorization: `Bearer ${token}` },
    })
    expect(faults()).toEqual(['jti', 'htm', `htu ${api.url}/v1/orders`, 'cnf', 'authorization Bearer'])
  })

  it('of an old request gets nowhere either', async () => {
    lagMs = 40_000
    try {
      await call('/api/orders')
    } finally {
      lagMs = 0
    }
    expect(faults()[0]).toBe('iat')
  })
})

describe('an API that wants its nonce in every proof', () => {
  it('is asked once more, and the browser hears nothing of it', async () => {
    api.behaviour.nonces = () => ['first-nonce']
    const answer = await call('/api/orders')
    expect([answer.status, faults()]).toEqual([200, ['use_dpop_nonce', '']])
    expect(answer.headers['dpop-nonce']).toBeUndefined()
    await call('/root/elsewhere')
    expect(faults()).toEqual(['use_dpop_nonce', '', ''])
  })

  it('is sent a new nonce with the next request, without being asked', async () => {
    api.behaviour.nonces = () => ['second-nonce', 'first-nonce']
    await call('/api/orders')
    api.behaviour.nonces = () => ['second-nonce']
    await call('/api/orders')
    expect(faults().at(-1)).toBe('')
  })

  it.each([
    ['Bearer, '],
    ['Bearer realm="coats", '],
    ['Bearer error="invalid_token", '],
    ['DPoP algs="ES256", '],
    ['Basic realm="x", Bearer realm="y", '],
  ])('may name other schemes first: %s', async (otherChallenges) => {
    const nonce = `nonce-beside-${otherChallenges.length}`
    Object.assign(api.behaviour, { nonces: () => [nonce], otherChallenges })
    const answer = await call('/api/orders')
    expect([answer.status, faults()]).toEqual([200, ['use_dpop_nonce', '']])
    api.behaviour.nonces = () => [`${nonce}-socket`]
    expect(await echo('/api/socket')).toBe('hello')
  })

  it.each([
    ['POST', 'x'.repeat(65_536), false],
    ['POST', 'x'.repeat(1_000), true],
    ['PATCH', '', false],
    ['DELETE', undefined, false],
  ])('gets %s again, with its body', async (method, body, answerEarly) => {
    const nonce = `nonce-for-${method}-${body?.length}`
    Object.assign(api.behaviour, { nonces: () => [nonce], answerEarly })
    const answer = await call('/api/orders', { method, ...(body === undefined ? {} : { body }) })
    expect([answer.status, faults()]).toEqual([200, ['use_dpop_nonce', '']])
    expect(lastCall()?.body.toString()).toBe(body ?? '')
  })

  it('gets a body that comes in pieces whole, whenever it says so', async () => {
    Object.assign(api.behaviour, { nonces: () => ['nonce-for-pieces'], answerEarly: true })
    const pieces = ['a'.repeat(10), 'b'.repeat(20), 'c'.repeat(30)]
    const status = await sendInPieces(pieces)
    expect([status, faults()]).toEqual([200, ['use_dpop_nonce', '']])
    expect(lastCall()?.body.toString()).toBe(pieces.join(''))
  })

  it('cannot be sent a large body twice: 503, and the next one has the nonce', async () => {
    api.behaviour.nonces = () => ['nonce-for-large']
    const body = 'x'.repeat(65_537)
    const answer = await call('/api/orders', { method: 'POST', body })
    expect(answer.status).toBe(503)
    expect(answer.json().code).toBe('upstream_nonce')
    expect(answer.headers['retry-after']).toBe('1')
    expect((await call('/api/orders', { method: 'POST', body })).status).toBe(200)
  })

  it('and takes none is asked twice: 503, no loop', async () => {
    let turn = 0
    api.behaviour.nonces = () => {
      turn += 1
      return [`never-${turn}`]
    }
    const answer = await call('/api/orders')
    expect([answer.status, answer.json().code, answer.headers['retry-after']]).toEqual([
      503,
      'upstream_nonce',
      '1',
    ])
    expect(faults()).toEqual(['use_dpop_nonce', 'use_dpop_nonce'])
    expect(await echo('/api/socket')).toBe('status 503')
    expect(faults()).toHaveLength(4)
    expect((await call('/api/orders', { method: 'POST', body: 'x' })).status).toBe(503)
    expect(faults()).toHaveLength(6)
  })

  it('opens a WebSocket at the second try, and tells the next nonce with it', async () => {
    api.behaviour.nonces = () => ['nonce-for-sockets']
    expect(await echo('/api/socket')).toBe('hello')
    expect(faults()).toEqual(['use_dpop_nonce', ''])
    await call('/api/orders')
    expect(faults().at(-1)).toBe('')
  })

  it('and changes it every second refuses no request of many', async () => {
    api.behaviour.nonces = changingNonces(1_000)
    const endsAtMs = Date.now() + 3_500
    const statuses: number[] = []
    const work = async () => {
      while (Date.now() < endsAtMs) {
        const body = Math.random() < 0.5 ? { method: 'POST', body: 'x'.repeat(500) } : {}
        statuses.push((await call('/api/orders', body)).status)
      }
    }
    await Promise.all(Array.from({ length: 32 }, work))
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(faults().filter((fault) => fault !== '' && fault !== 'use_dpop_nonce')).toEqual([])
    expect(statuses.length).toBeGreaterThan(100)
  })
})

function sendInPieces(pieces: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = sendRequest({
      host: '127.0.0.1',
      port: gateway.port,
      method: 'POST',
      path: '/api/orders',
      headers: { cookie, host: 'app.example.test', 'x-csrf': '1', 'content-type': 'text/plain' },
    })
    request.on('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    request.on('error', reject)
    const next = (at: number): void => {
      if (at === pieces.length) request.end()
      else request.write(pieces[at], () => setTimeout(next, 50, at + 1))
    }
    next(0)
  })
}
