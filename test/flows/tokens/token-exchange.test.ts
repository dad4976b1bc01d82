import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { errors, type Provider, type ProviderContext } from 'oidc-provider'
import { fetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publishedKeys, readPrivateKeys } from '../../../src/signing/signing-keys.ts'
import { startUpstream, type Upstream, valuesOf } from '../../support/api/upstream.ts'
import { type GatewayProcess, startGatewayProcess } from '../../support/gateway/gateway-process.ts'
import { freePort } from '../../support/ports.ts'
import { newClientKey, signInAt } from '../../support/provider/fapi-gateway.ts'
import {
  type FapiProvider,
  fapiAudience,
  fapiClient,
  startFapiProvider,
} from '../../support/provider/fapi-provider.ts'
import { claimsOf } from '../../support/provider/oidc-provider.ts'

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-exchange-'))
const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
const ordersAudience = 'https://orders.example.test'
const clientKey = newClientKey()

/** What the provider's rule says at the moment. */
let rule: 'allowed' | 'refused' | 'fails' = 'allowed'
const subjects: string[] = []

/** What of oidc-provider a grant of one's own needs. */
interface Extensible extends Provider {
  readonly AccessToken: new (of: object) => { resourceServer: unknown; save(): Promise<string> }
  readonly ResourceServer: new (identifier: string, facts: object) => unknown
  registerGrantType(
    name: string,
    handler: (ctx: ProviderContext) => Promise<void>,
    parameters: readonly string[],
  ): void
}

/** Token exchange (RFC 8693) as an operator of oidc-provider adds it. */
function addExchange(provider: Extensible): void {
  const keys = createRemoteJWKSet(new URL(`${provider.issuer}/jwks`))
  const exchange = async (ctx: ProviderContext): Promise<void> => {
    const { params, client } = ctx.oidc
    if (rule === 'fails') throw new Error('the rule cannot be read')
    if (rule === 'refused') throw new errors.AccessDenied('not for this user')
    const { payload } = await jwtVerify(params.subject_token ?? '', keys, { audience: fapiAudience })
    subjects.push(payload.sub ?? '')
    const token = new provider.AccessToken({ accountId: payload.sub, client, scope: 'orders' })
    token.resourceServer = new provider.ResourceServer(params.resource ?? '', {
      audience: ordersAudience,
      scope: 'orders',
      accessTokenFormat: 'jwt',
      accessTokenTTL: 60,
      jwt: { sign: { alg: 'PS256' } },
    })
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: accessTokenType,
      token_type: 'Bearer',
      expires_in: 60,
    }
  }
  const names = ['subject_token', 'subject_token_type', 'requested_token_type', 'resource', 'scope']
  provider.registerGrantType(grantType, exchange, names)
}

let fapi: FapiProvider
let api: Upstream
let gateway: GatewayProcess | undefined
let origin: string
beforeAll(async () => {
  api = await startUpstream()
  const port = await freePort()
  origin = `http://127.0.0.1:${port}`
  const jwks = { keys: publishedKeys(readPrivateKeys(clientKey), 'sig') }
  fapi = await startFapiProvider({
    baseUrl: origin,
    extend: (provider) => addExchange(provider as Extensible),
    client: {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks,
      grant_types: ['authorization_code', 'refresh_token', grantType],
    },
  })
  const route = { prefix: '/orders', upstream: api.origin, token: 'exchange', audience: ordersAudience }
  const user = { prefix: '/api', upstream: api.origin, audience: fapiAudience }
  writeFileSync(join(folder, 'routes.json'), JSON.stringify({ routes: [user, route] }))
  gateway = await startGatewayProcess({
    PORT: `${port}`,
    BASE_URL: origin,
    ISSUER_URL: fapi.issuer,
    CLIENT_ID: fapiClient.id,
    CLIENT_KEY: clientKey,
    API_AUDIENCE: fapiAudience,
    AUDIENCE_PARAMETER: 'resource',
    ROUTES_FILE: join(folder, 'routes.json'),
    SCOPE: 'openid profile',
    SESSION_SECRET: 'a-secret-of-the-token-exchange-0123456789abcdef',
    SESSION_STORE: 'memory',
    LOG_FORMAT: 'json',
    DRAIN_DELAY: '0',
  })
  await gateway.ready()
})
afterAll(async () => {
  await gateway?.kill()
  await fapi.stop()
  await api.stop()
  rmSync(folder, { recursive: true })
})

/** A browser's `cookie` header, signed in. */
async function signIn(): Promise<string> {
  const port = Number(new URL(origin).port)
  const { status, cookie } = await signInAt(fapi, [port, port])
  expect(status).toBe(303)
  return cookie
}

async function call(path: string, cookie: string): Promise<readonly [number, unknown]> {
  const answer = await fetch(`${origin}${path}`, { headers: { cookie, 'x-csrf': '1' } })
  const text = await answer.text()
  return [answer.status, answer.status < 300 ? text : (JSON.parse(text) as { code: string }).code]
}

const sentToken = (): string => valuesOf(api.requests.at(-1) ?? neverAsked(), 'authorization')[0] ?? ''
function neverAsked(): never {
  throw new Error('the API was not asked')
}

describe("token exchange by a grant of oidc-provider's own", () => {
  it('takes the token of the user to the API of the route, once until it expires; other routes keep theirs', async () => {
    const cookie = await signIn()
    for (const path of ['/orders/1', '/orders/2']) expect((await call(path, cookie))[0]).toBe(200)
    const [scheme, token = ''] = sentToken().split(' ')
    expect(scheme).toBe('Bearer')
    expect(claimsOf(token)).toMatchObject({ sub: 'ada', aud: ordersAudience, scope: 'orders' })
    expect(subjects).toEqual(['ada'])
    expect((await call('/api/1', cookie))[0]).toBe(200)
    expect(claimsOf(sentToken().split(' ')[1] ?? '')).toMatchObject({ sub: 'ada', aud: fapiAudience })
  })

  it('that is refused for the user is 403, and one that fails 503: the session stays, and works again', async () => {
    const cookie = await signIn()
    rule = 'refused'
    expect(await call('/orders/1', cookie)).toEqual([403, 'token_refused'])
    const told = gateway
      ?.output()
      .split('\n')
      .find((line) => line.includes('a token was not exchanged'))
    expect(JSON.parse(told ?? '{}')).toMatchObject({
      reason: 'access_denied',
      providerErrorDescription: 'not for this user',
    })
    expect((await call('/api/1', cookie))[0]).toBe(200)
    const other = await signIn()
    rule = 'fails'
    expect(await call('/orders/1', other)).toEqual([503, 'provider_unavailable'])
    expect((await call('/api/1', other))[0]).toBe(200)
    rule = 'allowed'
    expect((await call('/orders/1', await signIn()))[0]).toBe(200)
  })
})
