import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ArrivedRequest, startUpstream, type Upstream } from '../api/upstream.ts'
import { type Answer, exchange } from '../exchange.ts'
import { startGateway } from '../gateway/gateway.ts'
import { freePort } from '../ports.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/scripted-provider.ts'

/** One route of the world; its upstream is the world's. */
export type WorldRoute = Readonly<Record<string, unknown>> & { readonly prefix: string }

/** A gateway with routes of many kinds, its provider, and the one API behind all of them. */
export interface AccessWorld {
  readonly origin: string
  readonly port: number
  readonly provider: ScriptedProvider
  readonly api: Upstream
  /** Moves the gateway's and the provider's clock on, milliseconds. */
  pass(ms: number): void
  nowMs(): number
  /** Signs in; resolves to the `cookie` header. `query` goes to `/login`. */
  signIn(query?: string, cookie?: string): Promise<string>
  /** The callback's answer to a login that was begun with this query. */
  tryToSignIn(query: string, cookie?: string): Promise<Answer>
  /** An access token of the provider, as a mobile app has it. */
  bearer(
    claims?: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ): Promise<string>
  get(path: string, headers?: Readonly<Record<string, string>>, method?: string): Promise<Answer>
  /** What reached the API by one call; undefined: nothing did. */
  arrivedOf(call: () => Promise<Answer>): Promise<readonly [Answer, ArrivedRequest | undefined]>
  stop(): Promise<void>
}

/** The key that signs minted tokens. */
export const gatewayKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()

/** What a fetch of our own page sends. */
export const ownPage = { 'sec-fetch-site': 'same-origin' }

/** Starts the world. */
export async function startAccessWorld(
  routes: readonly WorldRoute[],
  settings: Readonly<Record<string, string>> = {},
): Promise<AccessWorld> {
  let offsetMs = 0
  const now = (): number => Date.now() + offsetMs
  const provider = await startScriptedProvider({ now })
  const api = await startUpstream()
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-access-'))
  const file = join(folder, 'routes.json')
  await writeFile(
    file,
    JSON.stringify({ routes: routes.map((route) => ({ upstream: api.origin, ...route })) }),
  )
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const gateway = await startGateway(
    {
      ISSUER_URL: provider.issuer,
      CLIENT_ID: provider.clientId,
      CLIENT_SECRET: provider.clientSecret,
      API_AUDIENCE: provider.audience,
      ROUTES_FILE: file,
      BASE_URL: origin,
      PORT: `${port}`,
      SESSION_SECRET: 'a-secret-of-the-world-of-access-0123456789',
      GATEWAY_KEY: gatewayKey,
      ...settings,
    },
    { now },
  )
  const get: AccessWorld['get'] = (path, headers = {}, method = 'GET') =>
    exchange({ method, url: new URL(path, origin), headers })
  const tryToSignIn: AccessWorld['tryToSignIn'] = async (query, cookie = '') => {
    for (;;) {
      const begun = await get(`/login${query}`, cookie === '' ? {} : { cookie })
      if (begun.status === 503) continue
      if (begun.status !== 303) return begun
      const callback = provider.approve(new URL(begun.headers.location ?? ''))
      const transactions = begun.setCookies.map((each) => each.split(';', 1)[0] ?? '').join('; ')
      return get(`/callback?${callback}`, { cookie: transactions })
    }
  }
  return {
    origin,
    port,
    provider,
    api,
    get,
    tryToSignIn,
    nowMs: now,
    pass(ms) {
      offsetMs += ms
    },
    async signIn(query = '', cookie = '') {
      const done = await tryToSignIn(query, cookie)
      const session = done.setCookies.find((each) => /^(?:__Host-Http-)?coatcheck(?:-\d+)?=[^;]/.test(each))
      if (session === undefined) throw new Error(`the sign-in ended with ${done.status}: ${done.text()}`)
      return session.split(';', 1)[0] ?? ''
    },
    bearer(claims = {}, header = { typ: 'at+jwt' }) {
      const iat = Math.floor(now() / 1_000)
      return provider.sign(
        {
          iss: provider.issuer,
          sub: 'bob',
          client_id: 'phone',
          aud: provider.audience,
          iat,
          exp: iat + 600,
          ...claims,
        },
        header,
      )
    },
    async arrivedOf(call) {
      const before = api.requests.length
      const answer = await call()
      return [answer, api.requests[before]]
    },
    async stop() {
      gateway.app.server.closeAllConnections()
      await gateway.stop()
      await api.stop()
      await provider.stop()
      await rm(folder, { recursive: true })
    },
  }
}
