import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerJson } from './answers.ts'
import {
  type Caller,
  type CallerOptions,
  createIdentifyCaller,
  type Demand,
  type IdentifyCaller,
  type Refusal,
} from './caller.ts'
import { type Endpoint, endpoints } from './endpoints.ts'

/** Options of {@link startDemoApi}. */
export interface DemoApiOptions extends CallerOptions {
  /** Default 0: any free port. */
  readonly port?: number
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Under what name callers know it, without a slash at the end: proofs are for that. Default {@link RunningApi.url}. */
  readonly url?: string
}

/** A running demo API. */
export interface RunningApi {
  /** Origin, without a slash at the end. */
  readonly url: string
  /** What it asks of callers; the page has a switch for it. */
  readonly demand: Demand
  stop(): Promise<void>
}

/** Starts the cloakroom API. It trusts nothing but access tokens, wherever they come from. */
export async function startDemoApi(options: DemoApiOptions): Promise<RunningApi> {
  const demand: Demand = { isProofDemanded: false }
  const identify = createIdentifyCaller(options, demand)
  const server = createServer((request, response) => {
    handle({ identify, demand, url }, request, response).catch(() => response.destroy())
  })
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const ownUrl = `http://127.0.0.1:${port}`
  const url = options.url ?? ownUrl
  return { url: ownUrl, demand, stop: () => stop(server) }
}

interface Parts {
  readonly identify: IdentifyCaller
  readonly demand: Demand
  readonly url: string
}

async function handle(
  { identify, demand, url }: Parts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://api')
  if (pathname === '/healthz') return answerProblem(response, 200, 'OK', 'The API is up.')
  const operation = `${request.method} ${pathname}`
  const endpoint = operation.endsWith(' /demand') ? demandEndpoint(demand) : endpoints.get(operation)
  if (endpoint === undefined) return answerProblem(response, 404, 'Not found', 'There is nothing here.')
  const caller = await identify(request, `${url}${pathname}`)
  if ('reason' in caller) return refuseToken(response, caller)
  if (lacksPermission(endpoint, caller)) return refusePermission(response, endpoint)
  await endpoint.answer(caller, request, response)
}

/** The switch: GET says how it stands, PUT switches proofs on, DELETE off. */
const demandEndpoint = (demand: Demand): Endpoint => ({
  answer(_caller, { method }, response) {
    if (method !== 'GET') demand.isProofDemanded = method === 'PUT'
    answerJson(response, demand)
  },
})

const lacksPermission = ({ permission }: Endpoint, caller: Caller): boolean =>
  permission !== undefined && !caller.permissions.includes(permission)

/** RFC 6750 §3.1, RFC 9449 §7.1. */
function refuseToken(response: ServerResponse, { scheme, reason }: Refusal): void {
  response.setHeader('WWW-Authenticate', `${scheme} error="invalid_token"`)
  answerProblem(response, 401, 'Unauthorized', reason)
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
