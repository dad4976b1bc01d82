import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ArrivedRequest, startUpstream, type Upstream } from '../api/upstream.ts'
import { freePort } from '../ports.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/scripted-provider.ts'
import { startGateway } from './gateway.ts'

/** A listener that nobody has business with: a connection means that a request steered the gateway. */
export interface Canary {
  /** `127.0.0.1:port`. */
  readonly host: string
  hits(): number
  stop(): Promise<void>
}

/** Starts a canary. */
export async function startCanary(): Promise<Canary> {
  let hits = 0
  const server = createServer((socket) => {
    hits += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    hits: () => hits,
    stop: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}

/** The routes of {@link startRoutedGateway}, the longest prefix first; each has an upstream of its own. */
export const routeTable = [
  { prefix: '/api/admin/audit', path: '', auth: 'required' },
  { prefix: '/api/public', path: '/public', auth: 'none' },
  { prefix: '/api/admin', path: '/admin-api', auth: 'required', methods: ['GET', 'HEAD'] },
  { prefix: '/api/maybe', path: '/maybe', auth: 'optional' },
  { prefix: '/open', path: '/v2', auth: 'none' },
  { prefix: '/root', path: '', auth: 'required' },
  { prefix: '/api', path: '/v1', auth: 'required' },
] as const

/** A route's prefix. */
export type RoutePrefix = (typeof routeTable)[number]['prefix']

/** A request and the route whose upstream it reached. */
export interface Arrival {
  readonly prefix: RoutePrefix
  readonly request: ArrivedRequest
}

/** A whole gateway with several routes, nested ones among them, and a user who is signed in. */
export interface RoutedGateway {
  readonly port: number
  readonly origin: string
  /** The `cookie` header of the user's browser. */
  readonly cookie: string
  /** Signs in once more, in another browser; resolves to its `cookie` header. */
  signIn(): Promise<string>
  readonly provider: ScriptedProvider
  readonly upstreams: ReadonlyMap<RoutePrefix, Upstream>
  /** Everything that reached any upstream; what came since the last call is at the end. */
  arrivals(): readonly Arrival[]
  /** The router's table. */
  printRoutes(): string
  stop(): Promise<void>
}

/** Starts it in this process, with the memory store; `settings` win. */
export async function startRoutedGateway(
  settings: Readonly<Record<string, string>> = {},
): Promise<RoutedGateway> {
  const provider = await startScriptedProvider()
  const upstreams = new Map<RoutePrefix, Upstream>()
  for (const { prefix } of routeTable) upstreams.set(prefix, await startUpstream())
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-routes-'))
  const routes = routeTable.map(({ path, ...route }) => ({
    ...route,
    upstream: `${upstreams.get(route.prefix)?.origin}${path}`,
  }))
  const routesFile = join(folder, 'routes.json')
  await writeFile(routesFile, JSON.stringify({ routes }))
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const gateway = await startGateway({
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: provider.clientSecret,
    API_AUDIENCE: provider.audience,
    ROUTES_FILE: routesFile,
    BASE_URL: origin,
    PORT: `${port}`,
    SESSION_SECRET: 'a-secret-of-the-routed-gateway-0123456789',
    SPA_DIR: fileURLToPath(new URL('../spa', import.meta.url)),
    ...settings,
  })
  const cookie = await signIn(origin, provider)
  return {
    port,
    origin,
    cookie,
    signIn: () => signIn(origin, provider),
    provider,
    upstreams,
    arrivals: recordArrivals(upstreams),
    printRoutes: () => gateway.app.printRoutes({ commonPrefix: false }),
    async stop() {
      gateway.app.server.closeAllConnections()
      await gateway.stop()
      await Promise.all([...upstreams.values()].map((upstream) => upstream.stop()))
      await provider.stop()
      await rm(folder, { recursive: true })
    },
  }
}

function recordArrivals(upstreams: RoutedGateway['upstreams']): () => readonly Arrival[] {
  const arrivals: Arrival[] = []
  const counts = new Map<RoutePrefix, number>()
  return () => {
    for (const [prefix, { requests }] of upstreams) {
      const fresh = requests.slice(counts.get(prefix) ?? 0)
      arrivals.push(...fresh.map((request) => ({ prefix, request })))
      counts.set(prefix, requests.length)
    }
    return arrivals
  }
}

/** A login from `/login` to `/callback`; resolves to the session's cookie. */
async function signIn(origin: string, provider: ScriptedProvider): Promise<string> {
  for (;;) {
    const begun = await fetch(`${origin}/login`, { redirect: 'manual' })
    // Discovery may still be under way.
    if (begun.status === 503) continue
    const query = provider.approve(new URL(begun.headers.get('location') ?? ''))
    const [transaction = ''] = begun.headers.getSetCookie().map((each) => each.split(';', 1)[0] ?? '')
    const done = await fetch(`${origin}/callback?${query}`, {
      redirect: 'manual',
      headers: { cookie: transaction },
    })
    const session = done.headers.getSetCookie().find((each) => /^coatcheck-\d+=[^;]/.test(each))
    if (session === undefined) throw new Error(`the sign-in ended with ${done.status}`)
    return session.split(';', 1)[0] ?? ''
  }
}
