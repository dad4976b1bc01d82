import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { createProofVerifier, valuesOf } from '../api/proof-verifier.ts'

type Members = Record<string, unknown>

/** What the provider answers instead of what it would have said; a text body is sent as it is. */
export interface ScriptedAnswer {
  readonly status?: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Answers by itself, byte for byte, or not at all. */
  readonly send?: (response: ServerResponse) => void
}

/** How the provider misbehaves. May be changed at any time. */
export interface ScriptedFaults {
  discovery?: (metadata: Members) => unknown
  /**
   * Binds tokens to the key of the request's proof (RFC 9449), and demands one of these nonces, the newest first, where there are any. Only
   * where it is optional a request without a proof gets a bearer token.
   */
  dpop?:
    | undefined
    | { readonly nonces?: (form: URLSearchParams) => readonly string[]; readonly isOptional?: boolean }
  /** Instead of the metadata. */
  discoveryAnswer?: () => ScriptedAnswer | undefined
  revocation?: () => ScriptedAnswer | undefined
  userinfo?: () => ScriptedAnswer | undefined
  /** Instead of a reference; that endpoint is announced where `discovery` adds it. */
  push?: () => ScriptedAnswer | undefined
  keys?: (keys: readonly JWK[]) => ScriptedAnswer | undefined
  token?: (answer: Members, form: URLSearchParams) => ScriptedAnswer | undefined
  /** Changes the claims and the protected header before signing; `accessToken` is what the answer carries. */
  idToken?: (claims: Members, header: Members, accessToken: string) => void
  /** Makes the ID token of those claims in another way. */
  signIdToken?: (claims: Members, header: Members) => string | Promise<string>
  /** As above; a text that is returned replaces the whole token. */
  accessToken?: (claims: Members, header: Members, form: URLSearchParams) => string | undefined
}

/** A request as the provider saw it. */
export interface ScriptedRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly form: URLSearchParams
  readonly rawHeaders: readonly string[]
}

/** An OpenID Provider that does what a test tells it, with real signatures, on loopback. */
export interface ScriptedProvider {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly audience: string
  readonly faults: ScriptedFaults
  readonly requests: readonly ScriptedRequest[]
  /** Every token it has made. */
  readonly issued: readonly string[]
  /** How many requests for this path there were. */
  count(path: string): number
  /** Approves an authorization request, as its `/authorize` does; returns the query of the callback. */
  approve(authorizationUrl: URL): string
  /** Signs with the current key. */
  sign(claims: Members, header?: Members): Promise<string>
  /** What the confusion of key kinds signs: HS256, with the text of the public key as the secret. */
  signWithPublicKey(claims: Members): Promise<string>
  /** Signs claims that are written as JSON already, whatever is in them. */
  signText(claims: string, header?: Members): Promise<string>
  /** A logout token for the session of every login here, `changes` made to its claims. */
  logoutToken(changes?: Members, header?: Members): Promise<string>
  /** The public parts of all keys that have ever signed. */
  readonly publicKeys: readonly JWK[]
  /** From now on another key signs, and only that one is published. */
  rotateKeys(): Promise<void>
  stop(): Promise<void>
}

/** Input of {@link startScriptedProvider}. */
export interface ScriptedProviderOptions {
  readonly clientId?: string
  readonly clientSecret?: string
  readonly audience?: string
  /** Path of the issuer, for providers with several tenants. */
  readonly path?: string
  /** Its clock, epoch milliseconds. */
  readonly now?: () => number
}

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout'
const lifeSeconds = 600

interface SigningKey {
  readonly jwk: JWK
  readonly privateKey: CryptoKey
}

/** A fresh RS256 key pair. */
export async function newSigningKey(kid: string): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  return { jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }, privateKey }
}

/** With which every provider of a process begins: making one takes a while. */
let firstKey: Promise<SigningKey> | undefined

/** Signs with any key: what a forger does. A header member that is `undefined` is left out. */
export function signWith(key: SigningKey, claims: Members, header: Members = {}): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({
      alg: 'RS256',
      ...(key.jwk.kid === undefined ? {} : { kid: key.jwk.kid }),
      ...header,
    })
    .sign(key.privateKey, { crit: { x: true } })
}

/** A JWT that claims to be one, without a signature. */
export function unsigned(claims: Members, header: Members): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(claims)}.`
}

const randomId = () => randomBytes(12).toString('base64url')

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return new URLSearchParams(text)
}

function send(response: ServerResponse, answer: ScriptedAnswer): void {
  const { status = 200, body = {}, headers = {} } = answer
  if (answer.send !== undefined) {
    answer.send(response)
    return
  }
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Starts one; it approves every login of the user `alice`. */
export async function startScriptedProvider(
  options: ScriptedProviderOptions = {},
): Promise<ScriptedProvider> {
  const { clientId = 'gateway', clientSecret = 'gateway-secret', path = '' } = options
  const { audience = 'https://api.example.test', now = Date.now } = options
  const nowSeconds = () => Math.floor(now() / 1_000)
  const faults: ScriptedFaults = {}
  const requests: ScriptedRequest[] = []
  const issued: string[] = []
  const nonces = new Map<string, string | null>()
  /** Pushed requests by their references. */
  const references = new Map<string, URLSearchParams>()
  firstKey ??= newSigningKey('key-1')
  let key = await firstKey
  const publicKeys = [key.jwk]
  const server = createServer((request, response) => {
    handle(request).then(
      (answer) => send(response, answer),
      () => response.destroy(),
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer = `${origin}${path}`
  const base = issuer.replace(/\/$/, '')

  const sign = (claims: Members, header: Members = {}) => signWith(key, claims, header)
  const timed = (claims: Members) => ({ ...claims, iat: nowSeconds(), exp: nowSeconds() + lifeSeconds })

  async function accessToken(form: URLSearchParams, confirmation: Members): Promise<string> {
    const header: Members = {}
    const aud = form.get('audience') ?? form.get('resource') ?? audience
    const claims: Members = timed({ iss: issuer, sub: 'alice', aud: [aud], jti: randomId(), ...confirmation })
    return faults.accessToken?.(claims, header, form) ?? sign(claims, header)
  }

  /** The key that a request has proved to have, as members of the token; an answer where it has not. */
  function proved(request: IncomingMessage, form: URLSearchParams): Members | ScriptedAnswer {
    const nonces = () => faults.dpop?.nonces?.(form) ?? []
    try {
      const verifier = createProofVerifier(nonces, now)
      const proofs = valuesOf(request.rawHeaders, 'dpop')
      const jkt = verifier.verify({ proofs, method: 'POST', url: `${origin}${request.url ?? ''}` })
      return { cnf: { jkt } }
    } catch (error) {
      const isNonce = error instanceof Error && error.message === 'use_dpop_nonce'
      const [nonce = ''] = nonces()
      return {
        status: 400,
        headers: nonce === '' ? {} : { 'dpop-nonce': nonce },
        body: { error: isNonce ? 'use_dpop_nonce' : 'invalid_dpop_proof', error_description: String(error) },
      }
    }
  }

  async function tokenAnswer(form: URLSearchParams, request: IncomingMessage): Promise<ScriptedAnswer> {
    const isUnproved = valuesOf(request.rawHeaders, 'dpop').length === 0
    const isBound = faults.dpop !== undefined && !(faults.dpop.isOptional === true && isUnproved)
    const confirmation = isBound ? proved(request, form) : {}
    if ('status' in confirmation) return confirmation
    const nonce = nonces.get(form.get('code') ?? '')
    const header: Members = {}
    const user = { sub: 'alice', name: 'Alice', sid: 'sid-1' }
    const claims: Members = timed({ iss: issuer, aud: clientId, ...user, ...(nonce ? { nonce } : {}) })
    const access = await accessToken(form, confirmation as Members)
    faults.idToken?.(claims, header, access)
    const answer = {
      access_token: access,
      token_type: isBound ? 'DPoP' : 'Bearer',
      expires_in: lifeSeconds,
      id_token: await (faults.signIdToken ?? sign)(claims, header),
      refresh_token: `rt-${randomId()}`,
    }
    issued.push(answer.access_token, answer.id_token, answer.refresh_token)
    return faults.token?.(answer, form) ?? { body: answer }
  }

  function metadata(): unknown {
    const document = {
      issuer,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/token`,
      jwks_uri: `${base}/jwks`,
      revocation_endpoint: `${base}/revoke`,
      userinfo_endpoint: `${base}/userinfo`,
      id_token_signing_alg_values_supported: ['RS256'],
    }
    return faults.discovery?.(document) ?? document
  }

  function pushed(form: URLSearchParams): ScriptedAnswer {
    const reference = `urn:ietf:params:oauth:request_uri:${randomId()}`
    references.set(reference, form)
    return faults.push?.() ?? { status: 201, body: { request_uri: reference, expires_in: 60 } }
  }

  function approve(authorizationUrl: URL): string {
    const plain = authorizationUrl.searchParams
    const asked = references.get(plain.get('request_uri') ?? '') ?? plain
    const code = randomId()
    nonces.set(code, asked.get('nonce'))
    return new URLSearchParams({ code, state: asked.get('state') ?? '' }).toString()
  }

  async function handle(request: IncomingMessage): Promise<ScriptedAnswer> {
    const url = new URL(request.url ?? '/', origin)
    const form = await readForm(request)
    const place = url.href.slice(base.length).replace(/\?.*$/, '')
    requests.push({
      method: request.method ?? '',
      path: place,
      query: url.searchParams,
      form,
      rawHeaders: request.rawHeaders,
    })
    switch (place) {
      case '/.well-known/openid-configuration':
        return faults.discoveryAnswer?.() ?? { body: metadata() }
      case '/.well-known/oauth-authorization-server':
        return { status: 404 }
      case '/jwks':
        return faults.keys?.([key.jwk]) ?? { body: { keys: [key.jwk] } }
      case '/alias/token':
      case '/token':
      case '/oauth/token':
        return tokenAnswer(form, request)
      case '/revoke':
        return faults.revocation?.() ?? {}
      case '/userinfo':
      case '/alias/userinfo':
        return faults.userinfo?.() ?? { body: { sub: 'alice' } }
      case '/par':
      case '/alias/par':
        return pushed(form)
      case '/authorize':
        return {
          status: 303,
          headers: { location: `${url.searchParams.get('redirect_uri')}?${approve(url)}` },
        }
      default:
        return {}
    }
  }

  return {
    issuer,
    clientId,
    clientSecret,
    audience,
    faults,
    requests,
    issued,
    publicKeys,
    count: (place) => requests.filter((request) => request.path === place).length,
    approve,
    sign,
    signText: (text, header = {}) =>
      new CompactSign(new TextEncoder().encode(text))
        .setProtectedHeader({ alg: 'RS256', kid: key.jwk.kid ?? '', ...header })
        .sign(key.privateKey),
    signWithPublicKey: (claims) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: key.jwk.kid ?? '' })
        .sign(new TextEncoder().encode(JSON.stringify(key.jwk))),
    logoutToken: (changes = {}, header = {}) =>
      sign(
        {
          ...timed({ iss: issuer, aud: clientId, jti: randomId(), sub: 'alice', sid: 'sid-1' }),
          events: { [logoutEvent]: {} },
          ...changes,
        },
        header,
      ),
    async rotateKeys() {
      const next = await newSigningKey(`key-${publicKeys.length + 1}`)
      publicKeys.push(next.jwk)
      key = next
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
