import { createServer, type Server } from 'node:http'
import { type FastifyBaseLogger, type FastifyServerOptions, LogController } from 'fastify'
import { randomText } from '../../basics/random-text.ts'
import type { Logger } from '../../telemetry/telemetry.ts'

/** What the framework is told by the settings. */
export interface ServerSettings {
  /** Addresses or CIDRs whose `X-Forwarded-For` is believed; empty: nobody's. */
  readonly trustProxy: readonly string[]
}

/** What the listener is told by the settings. */
export interface ListenerSettings {
  /** Idle connections of browsers and balancers are kept so long, seconds. */
  readonly keepAliveTimeout: number
}

/** All headers of a request together, bytes. Node answers more with an overflow, which becomes 431. */
const maxHeaderBytes = 32 * 1024

/** A client that has not sent its headers after this is cut off (slow loris), milliseconds. */
const headersTimeoutMs = 20_000

/** How often that is looked at, milliseconds. */
const connectionsCheckingIntervalMs = 5_000

const requestIdBytes = 12

/**
 * Makes the server that browsers reach; it routes nothing yet. Bodies have no overall deadline here, because uploads may be long; the
 * proxy cuts off slow ones.
 */
export function createListenerServer({ keepAliveTimeout }: ListenerSettings): Server {
  return createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    requestTimeout: 0,
    keepAliveTimeout: keepAliveTimeout * 1_000,
    connectionsCheckingInterval: connectionsCheckingIntervalMs,
    insecureHTTPParser: false,
    // Looked at together with everything else that makes a request plain, so that it is answered in the same way.
    requireHostHeader: false,
  })
}

/** Options of a Fastify root: everything about request ids and what happens before routing. */
export function createServerOptions(settings: ServerSettings, log: Logger) {
  return {
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // A logger of its own for each request costs more than the whole guard; what logs about a request names it itself.
    childLoggerFactory: (parent: FastifyBaseLogger) => parent,
    genReqId: newRequestId,
    requestIdHeader: false,
    trustProxy: settings.trustProxy.length === 0 ? false : [...settings.trustProxy],
    // During shutdown requests are still answered, with `Connection: close`: none is lost.
    return503OnClosing: false,
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false },
    exposeHeadRoutes: false,
  } satisfies FastifyServerOptions
}

/** A fresh id for each request; never the client's, which could be forged or reused. */
export function newRequestId(): string {
  return randomText(requestIdBytes, 'base64url')
}
