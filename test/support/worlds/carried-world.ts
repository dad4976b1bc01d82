import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as sendRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { startUpstream, type Upstream } from '../api/upstream.ts'
import type { CarrierOptions } from '../fronts/carriers.ts'
import { type Certificates, makeCertificates } from '../fronts/certificates.ts'
import type { RunningProxy } from '../fronts/run-proxy.ts'
import { startGateway } from '../gateway/gateway.ts'
import { freePort } from '../ports.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/scripted-provider.ts'

/** An answer that came through the proxy. */
export interface CarriedAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly setCookies: readonly string[]
  readonly text: string
}

/** What is sent through the proxy; the target goes out as it is. */
export interface Carried {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Buffer
}

/** A proxy that carries requests to an app, and the gateway that it asks. */
export interface CarriedWorld {
  readonly origin: string
  readonly port: number
  readonly ca: string
  readonly serverName: string
  readonly provider: ScriptedProvider
  readonly app: Upstream
  send(target: string, carried?: Carried): Promise<CarriedAnswer>
  /** Signs in through the proxy; resolves to the `cookie` header, and where the browser was led in the end. */
  signIn(login?: string): Promise<{ readonly cookie: string; readonly landed: string | undefined }>
  stop(): Promise<void>
}

const serverName = 'app.example.test'

/** The routes of the world: pages and an API for those who are signed in, some for everybody. */
const routes = [
  { prefix: '/', upstream: 'external', identityHeaders: { 'X-User': 'sub', 'X-Email': 'email' } },
  { prefix: '/api', upstream: 'external', identityHeaders: { 'X-User': 'sub' } },
  { prefix: '/public', upstream: 'external', auth: 'none' },
  { prefix: '/maybe', upstream: 'external', auth: 'optional' },
  { prefix: '/admins', upstream: 'external', require: { permissions: ['admin'] } },
]

/** Starts it. */
export async function startCarriedWorld(
  startCarrier: (options: CarrierOptions) => Promise<RunningProxy>,
): Promise<CarriedWorld> {
  const provider = await startScriptedProvider()
  const app = await startUpstream()
  const certificates: Certificates = await makeCertificates(`DNS:${serverName}`)
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-carried-'))
  await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes }))
  const [gatewayPort, checkPort] = [await freePort(), await freePort()]
  const origin = `https://${serverName}`
  const gateway = await startGateway({
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: provider.clientSecret,
    API_AUDIENCE: provider.audience,
    ROUTES_FILE: join(folder, 'routes.json'),
    BASE_URL: origin,
    AUTH_PREFIX: '/auth',
    PORT: `${gatewayPort}`,
    FORWARD_AUTH_PORT: `${checkPort}`,
    TRUST_PROXY: '127.0.0.1',
    SESSION_SECRET: 'a-secret-of-the-carried-world-0123456789',
  })
  const carrier = await startCarrier({ gatewayPort, checkPort, appPort: app.port, serverName, certificates })
  const place = { port: carrier.port, ca: certificates.ca, serverName }
  const send = (target: string, carried: Carried = {}) => sendThrough(place, target, carried)
  return {
    ...place,
    origin,
    provider,
    app,
    send,
    signIn: (login = '/auth/login') => signIn(send, provider, login),
    async stop() {
      await carrier.stop()
      gateway.app.server.closeAllConnections()
      await gateway.stop()
      await app.stop()
      await provider.stop()
      await certificates.remove()
      await rm(folder, { recursive: true })
    },
  }
}

function sendThrough(
  { port, ca, serverName: host }: Pick<CarriedWorld, 'port' | 'ca' | 'serverName'>,
  path: string,
  { method = 'GET', headers = {}, body }: Carried,
): Promise<CarriedAnswer> {
  return new Promise((resolve, reject) => {
    const sent = sendRequest({
      ...{ host: '127.0.0.1', port, ca, servername: host, method, path, agent: false },
      headers: { host, ...(body === undefined ? {} : { 'content-length': `${body.length}` }), ...headers },
    })
    // An upload may be refused before all of it was sent.
    let isAnswered = false
    sent.once('error', (error) => isAnswered || reject(error))
    sent.once('response', (answer) => {
      isAnswered = true
      const { statusCode: status = 0, headers: received } = answer
      buffer(answer).then(
        (content) =>
          resolve({
            status,
            headers: received,
            setCookies: received['set-cookie'] ?? [],
            text: content.toString(),
          }),
        reject,
      )
    })
    sent.end(body)
  })
}

async function signIn(send: CarriedWorld['send'], provider: ScriptedProvider, login: string) {
  for (;;) {
    const begun = await send(login)
    // Discovery may still be under way.
    if (begun.status === 503) continue
    const query = provider.approve(new URL(String(begun.headers.location)))
    const transactions = begun.setCookies.map((each) => each.split(';', 1)[0] ?? '').join('; ')
    const done = await send(`/auth/callback?${query}`, { headers: { cookie: transactions } })
    const session = done.setCookies.find((each) => /^__Host-Http-coatcheck=[^;]/.test(each))
    if (session === undefined) throw new Error(`the sign-in ended with ${done.status}: ${done.text}`)
    const landed = done.headers.location
    return {
      cookie: session.split(';', 1)[0] ?? '',
      landed: typeof landed === 'string' ? landed : undefined,
    }
  }
}
