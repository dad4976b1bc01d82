import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Logger } from '../../telemetry/telemetry.ts'
import type { Readiness } from '../health/readiness.ts'
import { ownLives, type Route } from '../lifetime/listener.ts'

/** Where the admin listener is. */
export interface AdminAddress {
  readonly adminPort: number
  readonly adminHost: string
}

/** What the admin listener tells: of this process, or of all workers together. */
export interface AdminSource {
  /** Prometheus' text format. */
  metrics(): Promise<string>
  isLive(): Promise<boolean>
  readiness(forTraffic: boolean): Promise<Readiness>
}

/** The admin listener. */
export interface Admin {
  /** @throws the listen error of Node when the address cannot be listened on */
  listen(address: AdminAddress): Promise<void>
  close(): Promise<void>
}

/** Prometheus' text format 0.0.4. */
const metricsType = 'text/plain; version=0.0.4; charset=utf-8'

/** Scrapes and probes have no bodies and small headers; who takes longer to send them is cut off, milliseconds. */
const requestTimeoutMs = 5_000

/** Longer than any sensible scrape interval, so that a scraper keeps its connection; milliseconds. */
const keepAliveTimeoutMs = 75_000

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/**
 * Makes the admin listener: `/metrics`, `/livez`, `/readyz`, and nothing else. It shares nothing with the listener that browsers reach, so
 * that no route, hook or limit of the one shows on the other.
 */
export function createAdmin(source: AdminSource, log: Logger): Admin {
  const server = createServer({ requestTimeout: requestTimeoutMs, keepAliveTimeout: keepAliveTimeoutMs })
  const route: Route = (request, response) => {
    answer(request, source).then(
      (found) => write(request, response, found),
      (err: unknown) => {
        log.error({ err }, 'the admin listener could not answer')
        write(request, response, text(500, 'internal error\n'))
      },
    )
  }
  ownLives(server, route, { upgrades: 'plain' })
  return {
    listen: (address) => listen(server, address),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, { adminPort: port, adminHost: host }: AdminAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, exclusive: true }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

async function answer(request: IncomingMessage, source: AdminSource): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET is answered\n')
  const [path, untrustedQuery] = (request.url ?? '').split('?', 2)
  if (path === '/metrics') return { status: 200, type: metricsType, body: await source.metrics() }
  if (path === '/livez') {
    const live = await source.isLive()
    return json(live ? 200 : 503, { live })
  }
  if (path === '/readyz') {
    const forTraffic = new URLSearchParams(untrustedQuery).get('for') === 'traffic'
    const readiness = await source.readiness(forTraffic)
    return json(readiness.ready ? 200 : 503, readiness)
  }
  return text(404, 'there are /metrics, /livez and /readyz\n')
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body }
}

function json(status: number, body: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(body) }
}

function write(request: IncomingMessage, response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
