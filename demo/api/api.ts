import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Caller, type CallerOptions, createIdentifyCaller, type IdentifyCaller } from './caller.ts'
import { type Endpoint, endpoints } from './endpoints.ts'

/** Options of {@link startDemoApi}. */
export interface DemoApiOptions extends CallerOptions {
  /** Default 0: any free port. */
  readonly port?: number
  /** Default `127.0.0.1`. */
  readonly host?: string
}

/** A running demo API. */
export interface RunningApi {
  /** Origin, without a slash at the end. */
  readonly url: string
  stop(): Promise<void>
}

/** Starts the cloakroom API. It trusts nothing but access tokens, wherever they come from. */
export async function startDemoApi(options: DemoApiOptions): Promise<RunningApi> {
  const identify = createIdentifyCaller(options)
  const server = createServer((request, response) => {
    handle(identify, request, response).catch(() => response.destroy())
  })
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, stop: () => stop(server) }
}

async function handle(
  identify: IdentifyCaller,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://api')
  if (pathname === '/healthz') return answerProblem(response, 200, 'OK', 'The API is up.')
  const endpoint = endpoints.get(`${request.method} ${pathname}`)
  if (endpoint === undefined) return answerProblem(response, 404, 'Not found', 'There is nothing here.')
  const caller = await identify(request)
  if (caller === undefined) return refuseToken(response)
  if (lacksPermission(endpoint, caller)) return refusePermission(response, endpoint)
  endpoint.answer(caller, request, response)
}

const lacksPermission = ({ permission }: Endpoint, caller: Caller): boolean =>
  permission !== undefined && !caller.permissions.includes(permission)

/** RFC 6750 §3.1. */
function refuseToken(response: ServerResponse): void {
  response.setHeader('WWW-Authenticate', 'Bearer error="invalid_token"')
  answerProblem(response, 401, 'Unauthorized', 'There is no valid access token for this API.')
}

/** RFC 6750 §3.1. */
function refusePermission(response: ServerResponse, { permission = '' }: Endpoint): void {
  response.setHeader('WWW-Authenticate', `Bearer error="insufficient_scope", scope="${permission}"`)
  answerProblem(response, 403, 'Forbidden', `This needs the permission ${permission}, which you do not have.`)
}

function answerProblem(response: ServerResponse, status: number, title: string, detail: string): void {
  response.writeHead(status, { 'Content-Type': 'application/problem+json' })
  response.end(JSON.stringify({ title, status, detail }))
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}
