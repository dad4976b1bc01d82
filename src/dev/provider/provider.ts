import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider, type ProviderContext } from 'oidc-provider'
import { shapeAnswer } from './auth0-answers.ts'
import { createConfiguration, paths } from './configuration.ts'
import { endSession, endSessionOf, legacyLogoutPath } from './end-session.ts'
import { createGrants } from './grants.ts'
import { interact, loginPath } from './interaction.ts'
import { type DemoProviderKnobs, type DemoProviderOptions, type DemoTenant, toKnobs } from './options.ts'

/** A request that the provider has answered. Codes and tokens are not kept. */
export interface ProviderRequest {
  readonly method: string
  readonly path: string
  readonly status: number
  /** Of a token request. */
  readonly grantType: string | undefined
  /** `audience` of an authorization request. */
  readonly audience: string | undefined
}

/** A running demo provider. */
export interface DemoProvider {
  /** Ends in a slash, as Auth0's does. */
  readonly issuer: string
  readonly port: number
  /** Takes effect at once, for every request from then on. */
  readonly knobs: DemoProviderKnobs
  /** Everything that was answered, oldest first. */
  readonly requests: readonly ProviderRequest[]
  /** Ends everybody's session at the provider, as from another device, and tells the applications. */
  endAllSessions(): Promise<void>
  /** Closes all connections and stops listening. */
  stop(): Promise<void>
}

/** Starts an OpenID Provider on loopback that behaves like an Auth0 tenant. Rejects when the port is taken. */
export async function startDemoProvider(options: DemoProviderOptions): Promise<DemoProvider> {
  const server = createServer()
  const port = await listen(server, options.port ?? 0, options.host ?? '127.0.0.1')
  const tenant: DemoTenant = {
    issuer: options.issuer ?? `http://127.0.0.1:${port}/`,
    clients: options.clients,
    apis: options.apis,
    users: options.users,
    endSessionDiscovery: options.endSessionDiscovery ?? true,
    acrValues: options.acrValues ?? [],
    knobs: toKnobs(options),
  }
  const requests: ProviderRequest[] = []
  const provider = createProvider(tenant, requests)
  const sessions = new Set<string>()
  provider.on(
    'authorization.success',
    ({ oidc }: ProviderContext) => void sessions.add(oidc.session?.uid ?? ''),
  )
  const answerProvider = provider.callback()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (options.intercept?.(request, response) === true) return
    if (tenant.knobs.isDown) response.writeHead(503).end()
    else answerProvider(request, response)
  })
  const endAllSessions = async (): Promise<void> => {
    for (const uid of sessions) {
      const session = await provider.Session.findByUid(uid)
      if (session !== undefined) await endSessionOf(tenant, provider, session)
    }
    sessions.clear()
  }
  return {
    issuer: tenant.issuer,
    port,
    knobs: tenant.knobs,
    requests,
    endAllSessions,
    stop: () => stop(server),
  }
}

function createProvider(tenant: DemoTenant, requests: ProviderRequest[]): Provider {
  const provider: Provider = withoutDevelopmentNotices(
    () =>
      new Provider(
        tenant.issuer,
        createConfiguration(
          tenant,
          createGrants(tenant, () => provider),
        ),
      ),
  )
  provider.use(async (ctx, next) => {
    try {
      await answer(tenant, provider, ctx, next)
    } finally {
      requests.push(describe(ctx))
    }
  })
  return provider
}

async function answer(
  tenant: DemoTenant,
  provider: Provider,
  ctx: ProviderContext,
  next: () => Promise<void>,
): Promise<void> {
  if (ctx.path === paths.end_session || ctx.path === legacyLogoutPath)
    return endSession(tenant, provider, ctx, await readParameters(ctx))
  if (ctx.path.startsWith(loginPath)) return interact(tenant, provider, ctx, await readParameters(ctx))
  await next()
  shapeAnswer(tenant, ctx)
}

function describe(ctx: ProviderContext): ProviderRequest {
  const { audience } = ctx.query
  return {
    method: ctx.method,
    path: ctx.path,
    status: ctx.status,
    grantType: ctx.path === paths.token ? ctx.oidc?.params?.grant_type : undefined,
    audience: typeof audience === 'string' ? audience : undefined,
  }
}

/** Logout parameters and login choices are short; an ID token hint is the longest of them. */
const maxBodyBytes = 32_768

async function readParameters({ req, query }: ProviderContext): Promise<URLSearchParams> {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (typeof value === 'string') parameters.set(name, value)
  for (const [name, value] of new URLSearchParams(await readBody(req))) parameters.set(name, value)
  return parameters
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes) throw new RangeError('The request body is too long.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The library announces on standard output that it is configured for development, which is what this is. */
function withoutDevelopmentNotices<Result>(create: () => Result): Result {
  const { info, warn } = console
  Object.assign(console, { info: () => undefined, warn: () => undefined })
  try {
    return create()
  } finally {
    Object.assign(console, { info, warn })
  }
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  server.listen(port, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}
