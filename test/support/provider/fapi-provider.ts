import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, LookupFunction } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { type Interaction, Provider, type ProviderContext } from 'oidc-provider'
import { Agent, fetch } from 'undici'
import { createProviderMemory } from './provider-memory.ts'

/** The client as it is registered. */
export const fapiClient = { id: 'coatcheck-fapi', redirectUri: 'http://127.0.0.1:3999/callback' }
export const fapiAudience = 'https://api.example.test'

/** What the provider demands and does. */
export interface FapiProviderOptions {
  /** Members of the client's registration. */
  readonly client: object
  /** Features of oidc-provider beyond those of the profile. */
  readonly features?: object
  /** Where the client lives; {@link fapiClient} says it otherwise. */
  readonly baseUrl?: string
  /** Serves TLS, and asks for certificates. */
  readonly tls?: Pick<ServerOptions, 'cert' | 'key' | 'ca'>
  /** The host of the issuer, where it is none of loopback. */
  readonly hostname?: string
  /** Life of an access token, seconds; 300 if left out. */
  readonly accessTokenSeconds?: number
  /** Members of the configuration. */
  readonly configuration?: object
  /** Given each provider before it answers, such as to register a grant of its own. */
  readonly extend?: (provider: Provider) => void
}

/** What the provider was asked. */
export interface FapiRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly form: URLSearchParams
  readonly dpop: string | undefined
  readonly certificate: boolean
  readonly status: number
}

/** oidc-provider with the FAPI 2.0 profile switched on. */
export interface FapiProvider {
  readonly issuer: string
  readonly requests: readonly FapiRequest[]
  /** Follows an authorization request as a browser whose user says yes; where it leads back to the gateway. */
  approve(url: URL): Promise<URL>
  /** Changed between the provider and the browser or gateway: the location of the last redirect. */
  tamper: ((location: URL) => URL) | undefined
  /** Held up before each answer at this path. */
  slow: { readonly path: string; readonly delayMs: number } | undefined
  /** Goes on under another configuration, with all that it has issued. */
  reconfigure(configuration: object): void
  stop(): Promise<void>
}

const signingKey = (alg: 'PS256' | 'RS256' | 'ES256') => {
  const { privateKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2_048 })
  return {
    ...privateKey.export({ format: 'jwk' }),
    alg,
    use: 'sig',
    kid: `${alg}-${randomBytes(4).toString('hex')}`,
  }
}

/** Starts it on loopback. */
export async function startFapiProvider(options: FapiProviderOptions): Promise<FapiProvider> {
  const requests: FapiRequest[] = []
  const server =
    options.tls === undefined
      ? createServer()
      : createTlsServer({ ...options.tls, requestCert: true, rejectUnauthorized: false })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { hostname = 'localhost' } = options
  const issuer = options.tls === undefined ? `http://127.0.0.1:${port}` : `https://${hostname}:${port}`
  const redirectUri = options.baseUrl === undefined ? fapiClient.redirectUri : `${options.baseUrl}/callback`
  const adapter = createProviderMemory()
  const cookies = { keys: [randomBytes(32).toString('base64url')] }
  const make = (configuration: object): ReturnType<Provider['callback']> => {
    const provider: Provider = new Provider(issuer, {
      ...configurationOf(options, () => provider),
      cookies,
      adapter,
      ...configuration,
    })
    options.extend?.(provider)
    provider.use(async (ctx, next) => {
      const { slow } = fapi
      if (slow?.path === ctx.path) await sleep(slow.delayMs)
      if (ctx.path.startsWith('/u/')) await interact(provider, ctx)
      else await next()
      requests.push(describe(ctx))
    })
    return provider.callback()
  }
  // Whatever the host is called, it is this machine.
  const lookup: LookupFunction = (_name, _options, found) =>
    found(null, [{ address: '127.0.0.1', family: 4 }])
  const dispatcher = new Agent({ connect: { ca: options.tls?.ca as string | undefined, lookup } })
  const fapi: FapiProvider = {
    issuer,
    requests,
    tamper: undefined,
    slow: undefined,
    async approve(url) {
      const found = await follow(url, redirectUri, dispatcher)
      return fapi.tamper?.(found) ?? found
    },
    reconfigure(configuration) {
      answer = make(configuration)
    },
    async stop() {
      await dispatcher.close()
      server.close()
      server.closeAllConnections()
    },
  }
  let answer = make({})
  server.on('request', (request, response) => void answer(request, response))
  return fapi
}

function configurationOf(options: FapiProviderOptions, getProvider: () => Provider): object {
  const algorithms = ['PS256', 'ES256', 'EdDSA', 'Ed25519']
  const { baseUrl = new URL(fapiClient.redirectUri).origin } = options
  return {
    clients: [
      {
        client_id: fapiClient.id,
        redirect_uris: [`${baseUrl}/callback`],
        grant_types: ['authorization_code', 'refresh_token'],
        post_logout_redirect_uris: [`${baseUrl}/logout/callback`],
        id_token_signed_response_alg: 'PS256',
        ...options.client,
      },
    ],
    jwks: { keys: [signingKey('PS256'), signingKey('RS256'), signingKey('ES256')] },
    scopes: ['openid', 'profile', 'offline_access'],
    claims: { openid: ['sub'], profile: ['name'] },
    clientAuthMethods:
      options.tls === undefined
        ? ['private_key_jwt']
        : ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
    enabledJWA: {
      clientAuthSigningAlgValues: algorithms,
      requestObjectSigningAlgValues: algorithms,
      idTokenSigningAlgValues: ['PS256', 'ES256', 'RS256'],
      authorizationSigningAlgValues: ['PS256', 'ES256', 'RS256'],
    },
    features: {
      devInteractions: { enabled: false },
      fapi: { enabled: true, profile: '2.0' },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      revocation: { enabled: true },
      encryption: { enabled: true },
      jwtResponseModes: { enabled: true },
      requestObjects: { enabled: true },
      dPoP: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => fapiAudience,
        getResourceServerInfo: () => ({
          audience: fapiAudience,
          scope: 'openid profile offline_access',
          accessTokenFormat: 'jwt',
          accessTokenTTL: options.accessTokenSeconds ?? 300,
          jwt: { sign: { alg: 'PS256' } },
        }),
        useGrantedResource: () => true,
      },
      ...options.features,
    },
    findAccount: (_ctx: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, name: 'Ada' }) }),
    loadExistingGrant: async (ctx: ProviderContext) => {
      const { account, client } = ctx.oidc
      if (account === undefined) return undefined
      const grant = new (getProvider().Grant)({ accountId: account.accountId, clientId: client.clientId })
      grant.addOIDCScope('openid profile offline_access')
      grant.addResourceScope(fapiAudience, 'openid profile offline_access')
      await grant.save()
      return grant
    },
    issueRefreshToken: () => true,
    rotateRefreshToken: false,
    interactions: { url: (_ctx: unknown, { uid }: Interaction) => `/u/${uid}` },
    ...options.configuration,
  }
}

async function interact(provider: Provider, ctx: ProviderContext): Promise<void> {
  const { prompt } = await provider.interactionDetails(ctx.req, ctx.res)
  const result = prompt.name === 'consent' ? { consent: {} } : { login: { accountId: 'ada' } }
  ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result))
  ctx.status = 303
}

function describe(ctx: ProviderContext): FapiRequest {
  const body: Readonly<Record<string, string | undefined>> = ctx.oidc?.body ?? {}
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(body)) if (value !== undefined) form.set(name, value)
  const { headers, url = '', method = '' }: IncomingMessage = ctx.req
  const dpop = headers.dpop
  return {
    method,
    path: ctx.path,
    query: new URL(url, 'http://x').searchParams,
    form,
    dpop: typeof dpop === 'string' ? dpop : undefined,
    certificate: peerCertificate(ctx) !== undefined,
    status: ctx.status,
  }
}

/** The certificate that the connection has shown. */
export function peerCertificate({ req }: Pick<ProviderContext, 'req'>): string | undefined {
  const socket = req.socket as Partial<TLSSocket>
  const { raw } = socket.getPeerCertificate?.() ?? {}
  return raw === undefined ? undefined : new X509Certificate(raw).toString()
}

const mostHops = 10

/** A browser that keeps cookies, until the provider sends it back to the gateway. */
async function follow(start: URL, redirectUri: string, dispatcher: Agent): Promise<URL> {
  const cookies = new Map<string, string>()
  let url = start
  for (let hop = 0; hop < mostHops; hop++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, { redirect: 'manual', dispatcher, headers: { cookie } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    if (location === null) return postedAnswer(await answer.text(), redirectUri)
    await answer.body?.cancel()
    url = new URL(location, url)
    if (url.href.startsWith(redirectUri)) return url
  }
  throw new Error('too many redirects')
}

/** The answer that a page posts to us (`form_post`), as if it stood in the address. */
function postedAnswer(page: string, redirectUri: string): URL {
  if (!page.includes(`action="${redirectUri}"`)) throw new Error(`no redirect: ${page.slice(0, 500)}`)
  const fields = [...page.matchAll(/<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"/g)]
  const found = new URLSearchParams(
    fields.map(([, name = '', value = '']): [string, string] => [name, value]),
  )
  return new URL(`${redirectUri}?${found}`)
}
