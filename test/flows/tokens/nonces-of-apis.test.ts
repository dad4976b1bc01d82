import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { claimsOf, valuesOf } from '../../support/api/proof-verifier.ts'
import { type Answer, exchange } from '../../support/exchange.ts'
import { type RunningGateway, startGateway } from '../../support/gateway/gateway.ts'
import { type ScriptedProvider, startScriptedProvider } from '../../support/provider/scripted-provider.ts'
import { gatewayKey } from '../../support/worlds/access-world.ts'
import { sessionCookieOf } from '../../support/worlds/scripted-pair.ts'

interface Call {
  readonly method: string
  readonly target: string
  readonly authorization: readonly string[]
  readonly proofs: readonly string[]
  readonly nonce: unknown
  readonly token: string
  body: string
}

let provider: ScriptedProvider
let gateway: RunningGateway
let folder: string
let cookie: string
/** How far everybody's clock is ahead. */
let aheadMs = 0
const now = () => Date.now() + aheadMs
const calls: Call[] = []
/** What the API does with a call. */
let behave: (call: Call, request: IncomingMessage, response: ServerResponse) => void

const wantsNonce = (nonce: string | undefined) => ({
  'www-authenticate': 'DPoP error="use_dpop_nonce", algs="ES256"',
  ...(nonce === undefined ? {} : { 'dpop-nonce': nonce }),
})

const api = createServer((request, response) => {
  const { method = '', url: target = '', rawHeaders } = request
  const authorization = valuesOf(rawHeaders, 'authorization')
  const proofs = valuesOf(rawHeaders, 'dpop')
  const nonce =
    proofs.length === 1 && proofs[0]?.split('.').length === 3 ? claimsOf(proofs[0]).nonce : undefined
  const token = authorization[0]?.split(' ')[1] ?? ''
  const call: Call = { method, target, authorization, proofs, nonce, token, body: '' }
  calls.push(call)
  behave(call, request, response)
})
/** Answers once the whole body has come. */
const afterBody = (answer: (call: Call, response: ServerResponse) => void): typeof behave => {
  return (call, request, response) => {
    request.setEncoding('latin1').on('data', (chunk: string) => {
      call.body += chunk
    })
    request.on('end', () => answer(call, response))
  }
}
const usual = afterBody((_call, response) => response.writeHead(200).end('ok'))

beforeAll(async () => {
  provider = await startScriptedProvider({ now })
  provider.faults.dpop = { isOptional: true }
  await once(api.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-nonces-'))
  const own = { forwardAuthorization: true }
  const routes = [
    { prefix: '/api', upstream: url },
    { prefix: '/base', upstream: `${url}/v1` },
    { prefix: '/slash', upstream: `${url}/v1/` },
    { prefix: '/named', upstream: `${url}/v2`, proofUrl: 'https://api.example.test/public' },
    { prefix: '/name-slash', upstream: `${url}/v2/`, proofUrl: 'https://API.example.test:443/public//' },
    { prefix: '/name-root', upstream: `${url}/v2`, proofUrl: 'https://api.example.test' },
    { prefix: '/guest', upstream: url, auth: 'optional' },
    { prefix: '/plain', upstream: url, token: 'none' },
    { prefix: '/client', upstream: url, token: 'client', audience: provider.audience },
    { prefix: '/minted', upstream: url, token: 'gateway', audience: 'https://minted.example.test' },
    { prefix: '/open', upstream: url, auth: 'none' },
    { prefix: '/own', upstream: url, auth: 'none', ...own },
  ]
  await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes }))
  gateway = await startGateway(
    {
      ISSUER_URL: provider.issuer,
      CLIENT_ID: provider.clientId,
      CLIENT_SECRET: provider.clientSecret,
      API_AUDIENCE: provider.audience,
      ROUTES_FILE: join(folder, 'routes.json'),
      BASE_URL: 'https://app.example.test',
      SESSION_SECRET: 'session-secret-of-nonces-of-apis-0123456789',
      SESSION_STORE: 'memory',
      TOKEN_BINDING: 'dpop',
      GATEWAY_KEY: gatewayKey,
    },
    { now },
  )
  cookie = await signIn()
})
beforeEach(() => {
  calls.length = 0
  behave = usual
})
afterAll(async () => {
  await gateway.stop()
  api.closeAllConnections()
  api.close()
  await provider.stop()
  await rm(folder, { recursive: true })
})

async function signIn(): Promise<string> {
  const begun = await call('/login', { headers: {} })
  const query = provider.approve(new URL(begun.headers.location ?? ''))
  const transaction = begun.setCookies[0]?.split(';')[0] ?? ''
  const session = sessionCookieOf(await call(`/callback?${query}`, { headers: { cookie: transaction } }))
  if (session === undefined) throw new Error('the login failed')
  return session
}

interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

function call(path: string, { method = 'GET', headers, body }: Sent = {}): Promise<Answer> {
  const address = { host: '127.0.0.1', port: gateway.port }
  const url = new URL(path, 'https://app.example.test')
  return exchange({ method, url, body, address, headers: { 'x-csrf': '1', ...(headers ?? { cookie }) } })
}

interface Upload {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** With pauses between. */
  readonly pieces: readonly string[]
  readonly pauseMs?: number
  /** The body is never finished. */
  readonly isEndless?: boolean
}

/** Sends a body as it is told to; resolves to status and code. */
function upload({ path = '/api/x', headers = {}, pieces, pauseMs = 0, isEndless = false }: Upload) {
  const { promise, resolve, reject } = Promise.withResolvers<readonly [number, unknown]>()
  const request = sendRequest({
    host: '127.0.0.1',
    port: gateway.port,
    method: 'POST',
    path,
    headers: { host: 'app.example.test', cookie, 'x-csrf': '1', 'content-type': 'text/plain', ...headers },
  })
  request.on('response', (answer) => {
    let text = ''
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    answer.on('end', () => {
      resolve([answer.statusCode ?? 0, text.startsWith('{') ? JSON.parse(text).code : text])
      if (isEndless) request.destroy()
    })
  })
  request.on('error', reject)
  const next = (at: number): void => {
    if (at < pieces.length) request.write(pieces[at], () => setTimeout(next, pauseMs, at + 1))
    else if (!isEndless) request.end()
  }
  if (headers.expect === undefined) next(0)
  else request.on('continue', () => next(0)).flushHeaders()
  return promise
}

let turn = 0
const freshNonce = () => {
  turn += 1
  return `nonce-${turn}`
}
/** An API that takes one nonce alone; early: it does not wait for the body before it refuses. */
const demanding = (nonce: string, isEarly = false): typeof behave => {
  return (received, request, response) => {
    if (received.nonce === nonce) usual(received, request, response)
    else if (isEarly) response.writeHead(401, wantsNonce(nonce)).end()
    else afterBody((_call, late) => late.writeHead(401, wantsNonce(nonce)).end())(received, request, response)
  }
}

describe('a nonce of an API', () => {
  it.each([200, 201, 204, 206, 302, 304, 400, 401, 403, 404, 429, 500, 502, 503])(
    'is learned from an answer %i, and taken away',
    async (status) => {
      const nonce = freshNonce()
      behave = (_call, _request, response) =>
        response.writeHead(status, { 'DPoP-Nonce': nonce, location: '/api/elsewhere' }).end()
      const answer = await call('/api/x')
      expect(answer.status).toBe(status)
      expect(answer.headers).not.toHaveProperty('dpop-nonce')
      behave = usual
      await call('/api/y')
      expect(calls.at(-1)?.nonce).toBe(nonce)
    },
  )

  it.each([
    ['HEAD', undefined],
    ['OPTIONS', undefined],
    ['PUT', 'x'],
    ['PATCH', 'x'],
    ['DELETE', 'x'],
  ])('that %s lacks is given once more, whatever the method', async (method, body) => {
    behave = demanding(freshNonce())
    const headers = { cookie, ...(body !== undefined && { 'content-length': `${body.length}` }) }
    expect((await call('/api/x', { method, headers, ...(body !== undefined && { body }) })).status).toBe(200)
    expect(calls.map((each) => each.body)).toEqual([body ?? '', body ?? ''])
  })

  it.each([
    ['none at all', undefined],
    ['what is none', 'no nonce'],
  ])('may be wanted and not be named (%s): asked once more, then 503', async (_what, named) => {
    behave = (_call, _request, response) => response.writeHead(401, wantsNonce(named)).end()
    const answer = await call('/api/x')
    expect([answer.status, answer.json().code, calls.length]).toEqual([503, 'upstream_nonce', 2])
  })

  it('may be wanted of a token that has taken the place of a refused one', async () => {
    const mine = await signIn()
    // A younger token would not be got anew.
    aheadMs += 31_000
    const nonce = freshNonce()
    let refused = ''
    behave = (received, _request, response) => {
      if (refused === '') refused = received.token
      if (received.token === refused)
        response.writeHead(401, { 'www-authenticate': 'DPoP error="invalid_token"' }).end()
      else if (received.nonce !== nonce) response.writeHead(401, wantsNonce(nonce)).end()
      else response.writeHead(200).end()
    }
    expect((await call('/api/x', { headers: { cookie: mine } })).status).toBe(200)
    expect(calls).toHaveLength(3)
    expect(new Set(calls.map(({ token }) => token)).size).toBe(2)
  })

  it('may be wanted before the token is refused', async () => {
    const mine = await signIn()
    // A younger token would not be got anew.
    aheadMs += 31_000
    const nonce = freshNonce()
    let refused = ''
    behave = (received, _request, response) => {
      if (received.nonce !== nonce) response.writeHead(401, wantsNonce(nonce)).end()
      else {
        if (refused === '') refused = received.token
        const isRefused = received.token === refused
        response
          .writeHead(
            isRefused ? 401 : 200,
            isRefused ? { 'www-authenticate': 'DPoP error="invalid_token"' } : {},
          )
          .end()
      }
    }
    expect((await call('/api/x', { headers: { cookie: mine } })).status).toBe(200)
    expect(calls).toHaveLength(3)
  })
})

describe('a body that an API wants once more, for its nonce', () => {
  const sizes = [0, 1, 65_535, 65_536, 65_537, 200_000]
  const cases = sizes.flatMap((size) =>
    [true, false].flatMap((isAnnounced) => [true, false].map((isEarly) => ({ size, isAnnounced, isEarly }))),
  )
  it.each(cases)(
    'of $size bytes (announced: $isAnnounced, refused at its head: $isEarly)',
    async ({ size, isAnnounced, isEarly }) => {
      behave = demanding(freshNonce(), isEarly)
      const half = Math.ceil(size / 2)
      const pieces = ['a'.repeat(half), 'b'.repeat(size - half)]
      const headers = isAnnounced ? { 'content-length': `${size}` } : {}
      const [status, code] = await upload({ pieces, headers, pauseMs: isEarly ? 20 : 0 })
      if (size > 65_536) expect([status, code, calls.length]).toEqual([503, 'upstream_nonce', 1])
      else {
        expect([status, calls.length]).toEqual([200, 2])
        expect(calls.at(-1)?.body).toBe(pieces.join(''))
      }
    },
  )

  it('comes slowly, and is sent whole', async () => {
    behave = demanding(freshNonce(), true)
    const pieces = Array.from({ length: 20 }, (_, at) => String.fromCharCode(97 + at).repeat(1_000))
    expect((await upload({ pieces, pauseMs: 25 }))[0]).toBe(200)
    expect(calls.at(-1)?.body).toBe(pieces.join(''))
  })

  it('is waited for by who asked to (expect: 100-continue)', async () => {
    behave = demanding(freshNonce(), true)
    const headers = { expect: '100-continue', 'content-length': '10' }
    expect((await upload({ pieces: ['0123456789'], headers }))[0]).toBe(200)
    expect(calls.at(-1)?.body).toBe('0123456789')
  })

  it('is refused at once where it is announced as too large, and never comes', async () => {
    behave = demanding(freshNonce(), true)
    const [status, code] = await upload({
      pieces: ['x'],
      headers: { 'content-length': '65537' },
      isEndless: true,
    })
    expect([status, code, calls.length]).toEqual([503, 'upstream_nonce', 1])
  })
})

describe('the proof of a browser', () => {
  const spellings = [
    { DPoP: 'theirs' },
    { dpop: 'theirs' },
    { dPOP: ['theirs', 'theirs too'] },
    { DPOP: 'theirs', D_PoP: 'theirs', 'DP-oP': 'theirs' },
  ]
  const routes = ['/api', '/guest', '/plain', '/client', '/minted', '/open']
  it.each(routes.flatMap((route) => spellings.map((headers) => ({ route, headers }))))(
    'does not pass on $route: $headers',
    async ({ route, headers }) => {
      for (const own of [{}, { authorization: 'DPoP theirs' }]) {
        const [status] = await upload({
          path: `${route}/x`,
          pieces: [],
          headers: { ...headers, ...own, 'content-length': '0' },
        })
        expect(status).toBe(200)
        for (const { proofs, authorization } of calls) {
          expect(authorization.join()).not.toContain('theirs')
          expect(proofs.join()).not.toContain('theirs')
          expect(proofs).toHaveLength(authorization[0]?.startsWith('DPoP ') ? 1 : 0)
        }
      }
    },
  )

  it('passes where nobody signs in and it is let through', async () => {
    await upload({ path: '/own/x', pieces: [], headers: { DPoP: 'theirs', authorization: 'DPoP theirs' } })
    expect(calls.at(-1)).toMatchObject({ proofs: ['theirs'], authorization: ['DPoP theirs'] })
  })

  it('is one of ours where the route sends bound tokens, and none on others', async () => {
    const came = async (path: string) => {
      await call(path)
      const { authorization = [], proofs = [] } = calls.at(-1) ?? {}
      return [authorization[0]?.split(' ')[0], proofs.length]
    }
    expect(await came('/api/x')).toEqual(['DPoP', 1])
    expect(await came('/guest/x')).toEqual(['DPoP', 1])
    expect(await came('/plain/x')).toEqual([undefined, 0])
    expect(await came('/minted/x')).toEqual(['Bearer', 0])
  })
})

describe('the address in a proof', () => {
  const port = () => (api.address() as AddressInfo).port
  it.each([
    ['/api', 'http://127.0.0.1:PORT/'],
    ['/api/', 'http://127.0.0.1:PORT/'],
    ['/api?x=/y', 'http://127.0.0.1:PORT/'],
    ['/api/a%2Fb/%C3%A4/~x?x=1#', 'http://127.0.0.1:PORT/a%2Fb/%C3%A4/~x'],
    ['/base', 'http://127.0.0.1:PORT/v1'],
    ['/base/', 'http://127.0.0.1:PORT/v1/'],
    ['/base/a?b', 'http://127.0.0.1:PORT/v1/a'],
    ['/slash', 'http://127.0.0.1:PORT/v1/'],
    ['/slash/a/', 'http://127.0.0.1:PORT/v1/a/'],
    ['/named', 'https://api.example.test/public'],
    ['/named/', 'https://api.example.test/public/'],
    ['/named/a/%7Eb/?c', 'https://api.example.test/public/a/%7Eb/'],
    ['/name-slash/a', 'https://api.example.test/public/a'],
    ['/name-root', 'https://api.example.test/'],
    ['/name-root/', 'https://api.example.test/'],
    ['/name-root/a/b', 'https://api.example.test/a/b'],
  ])('%s is %s', async (path, expected) => {
    const answer = await call(path)
    const [proof = ''] = calls.at(-1)?.proofs ?? []
    expect([answer.status, claimsOf(proof).htu]).toEqual([200, expected.replace('PORT', `${port()}`)])
    const { target } = calls.at(-1) ?? {}
    // Where the API knows itself by its own name, it is what was really asked for.
    if (expected.startsWith('http:'))
      expect(claimsOf(proof).htu).toBe(`http://127.0.0.1:${port()}${target?.split('?')[0]}`)
  })
})
