import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request as sendRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { changingNonces, claimsOf, createProofVerifier, valuesOf } from '../../support/api/proof-verifier.ts'
import { type ProvingApi, startProvingApi } from '../../support/api/proving-api.ts'
import { type Answer, exchange } from '../../support/exchange.ts'
import { type GatewayProcess, startGatewayProcess } from '../../support/gateway/gateway-process.ts'
import { freePort } from '../../support/ports.ts'
import { newClientKey } from '../../support/provider/fapi-gateway.ts'
import {
  type ScriptedAnswer,
  type ScriptedProvider,
  startScriptedProvider,
} from '../../support/provider/scripted-provider.ts'
import { type RedisServer, startRedis } from '../../support/redis/redis.ts'
import { sessionCookieOf } from '../../support/worlds/scripted-pair.ts'

let redis: RedisServer
let provider: ScriptedProvider
let api: ProvingApi
let folder: string
let gateways: readonly [GatewayProcess, GatewayProcess]
const clientKey = newClientKey()
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Nodes of the provider, each with nonces of its own; each still takes the one before. */
const nodes = [0, 1, 2].map((at) => changingNonces(2_000, `node ${at}`))
/** Whatever belongs to one request and its repetition leads to one node. */
const noncesOf = (text: string): readonly string[] =>
  nodes[[...text].reduce((sum, each) => sum + each.charCodeAt(0), 0) % nodes.length]?.() ?? []
/** How often each request was refused for want of a nonce. */
const refused = new Map<string, number>()
const lacking = (place: string, text: string): void => {
  refused.set(`${place} ${text}`, (refused.get(`${place} ${text}`) ?? 0) + 1)
}

/** A refusal by RFC 9449 where the last request's proof lacks the nonce of its node. */
function judge(place: string, text: string, accessToken?: string): ScriptedAnswer | undefined {
  const { method = '', rawHeaders = [] } = provider.requests.at(-1) ?? {}
  const url = `${provider.issuer}${place}`
  try {
    const proofs = valuesOf(rawHeaders, 'dpop')
    createProofVerifier(() => noncesOf(text)).verify({ proofs, method, url, accessToken })
    return undefined
  } catch (error) {
    const fault = error instanceof Error ? error.message : 'unknown'
    if (fault === 'use_dpop_nonce') lacking(place, text)
    const [nonce = ''] = noncesOf(text)
    const headers = { 'dpop-nonce': nonce, 'www-authenticate': `DPoP error="${fault}"` }
    return { status: accessToken === undefined ? 400 : 401, headers, body: { error: fault } }
  }
}

const nameOf = (form: URLSearchParams): string =>
  form.get('code') ?? form.get('refresh_token') ?? form.get('subject_token') ?? ''

beforeAll(async () => {
  redis = await startRedis()
  provider = await startScriptedProvider()
  const { faults } = provider
  faults.discovery = (metadata) => ({
    ...metadata,
    pushed_authorization_request_endpoint: `${provider.issuer}/par`,
    require_pushed_authorization_requests: true,
  })
  faults.push = () => judge('/par', provider.requests.at(-1)?.form.get('state') ?? '')
  faults.userinfo = () => {
    const [authorization = ''] = valuesOf(provider.requests.at(-1)?.rawHeaders ?? [], 'authorization')
    const token = authorization.replace(/^DPoP /, '')
    return judge('/userinfo', token, token)
  }
  api = await startProvingApi(() => provider.publicKeys)
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-nonces-'))
  const exchanged = { token: 'exchange', audience: 'https://other.example.test' }
  const routes = [
    { prefix: '/api', upstream: api.url },
    { prefix: '/exchanged', upstream: api.url, ...exchanged },
  ]
  await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes }))
  gateways = await Promise.all([open(), open()])
})
beforeEach(() => {
  refused.clear()
  // The provider asks several times about one request.
  const judged = new Set<URLSearchParams>()
  provider.faults.dpop = {
    nonces: (form) => {
      const { rawHeaders = [] } = provider.requests.findLast((each) => each.form === form) ?? {}
      const taken = noncesOf(nameOf(form))
      const { nonce } = claimsOf(valuesOf(rawHeaders, 'dpop')[0])
      if (!judged.has(form) && !taken.includes(String(nonce))) lacking('/token', nameOf(form))
      judged.add(form)
      return taken
    },
  }
  provider.faults.token = (answer, form) => ({
    body: {
      ...answer,
      // Refreshed all the time.
      expires_in: form.get('subject_token') === null ? 1 : 60,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    },
  })
})
afterAll(async () => {
  agent.destroy()
  for (const gateway of gateways) await gateway.stop()
  await api.stop()
  await provider.stop()
  await redis.stop()
  await rm(folder, { recursive: true })
})

async function open(changes: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    // Signed anew for a repetition, which takes its time: others learn newer nonces meanwhile.
    CLIENT_KEY: clientKey,
    API_AUDIENCE: provider.audience,
    ROUTES_FILE: join(folder, 'routes.json'),
    BASE_URL: 'https://app.example.test',
    SESSION_SECRET: 'session-secret-of-nonces-of-providers-01234',
    SESSION_STORE: 'redis',
    REDIS_URL: redis.url,
    TOKEN_BINDING: 'dpop',
    USERINFO: 'on',
    RATE_LIMIT: 'off',
    DRAIN_DELAY: '0',
    ...changes,
    PORT: `${await freePort()}`,
  })
  await gateway.ready()
  return gateway
}

const portOf = (at: number): number => gateways[at % 2 === 0 ? 0 : 1].port

function get(port: number, path: string, cookie = ''): Promise<Answer> {
  const address = { host: '127.0.0.1', port }
  const url = new URL(path, 'https://app.example.test')
  return exchange({ method: 'GET', url, headers: { 'x-csrf': '1', cookie }, address })
}

async function signIn(port: number): Promise<string> {
  const begun = await get(port, '/login')
  if (begun.status !== 303) throw new Error(`the login was begun with ${begun.status} ${begun.text()}`)
  const query = provider.approve(new URL(begun.headers.location ?? ''))
  const ended = await get(port, `/callback?${query}`, begun.setCookies[0]?.split(';')[0])
  const cookie = sessionCookieOf(ended)
  if (cookie === undefined) throw new Error(`the login ended with ${ended.status} ${ended.text()}`)
  return cookie
}

/** On one of 64 kept connections. */
function call(port: number, path: string, cookie: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { cookie, host: 'app.example.test', 'x-csrf': '1' }
    const request = sendRequest({ agent, host: '127.0.0.1', port, path, headers })
    request.on('response', (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('end', () => resolve(answer.statusCode === 200 ? 'ok' : `${answer.statusCode} ${text}`))
    })
    request.on('error', reject).end()
  })
}

describe('a provider of three nodes, each with nonces of its own that change every other second', () => {
  it('refuses no push, code, refresh, exchange or question about the user twice, on two nodes of ours', async () => {
    const endsAtMs = Date.now() + 6_000
    const outcomes = new Map<string, number>()
    const note = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    const cookies = [await signIn(portOf(0)), await signIn(portOf(1))]
    const logIn = async (at: number): Promise<void> => {
      while (Date.now() < endsAtMs) {
        const signedIn = signIn(portOf(at)).then((cookie) => {
          cookies.push(cookie)
          return 'ok'
        })
        note(await signedIn.catch(String))
      }
    }
    const work = async (at: number): Promise<void> => {
      while (Date.now() < endsAtMs) {
        const cookie = cookies[(at * 7) % cookies.length] ?? ''
        note(await call(portOf(at), at % 3 === 0 ? '/exchanged/x' : '/api/x', cookie))
        // The nonces are what is tried, not the machine.
        await setTimeout(150)
      }
    }
    const everybody = Array.from({ length: 64 }, (_, at) => (at < 8 ? logIn(at) : work(at)))
    await Promise.all(everybody)
    expect([...outcomes.keys()]).toEqual(['ok'])
    const places = new Set([...refused.keys()].map((each) => each.split(' ')[0]))
    expect(places).toEqual(new Set(['/par', '/token', '/userinfo']))
    // Both nodes exchange a token, each at its own time.
    const isExchange = (each: string) => each.split('.').length === 3 && each.startsWith('/token')
    for (const [each, times] of refused)
      expect([each, times <= (isExchange(each) ? 2 : 1)]).toEqual([each, true])
    expect(new Set(api.calls.map(({ fault }) => fault))).toEqual(new Set(['']))
  })
})
