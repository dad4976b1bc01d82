import { createServer, type Server } from 'node:http'
import Fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify'
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

/** What a root of the framework is made with besides the settings. */
export type RootOptions = Pick<FastifyServerOptions, 'serverFactory' | 'frameworkErrors'>

/**
 * Makes a root of the framework: everything about request ids and what happens before routing, and our log. With a logger from the beginning
 * it would make one for each request, or check the one that it is given instead, and listen to each answer for a line that we write
 * ourselves; so it gets the log afterwards, and each request with the first hook. Errors before that (`frameworkErrors`) are reported by whoever answers them.
 */
export function createRoot(settings: ServerSettings, log: Logger, more: RootOptions = {}): FastifyInstance {
  const app: FastifyInstance = Fastify({
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: newRequestId,
    requestIdHeader: false,
    trustProxy: settings.trustProxy.length === 0 ? false : [...settings.trustProxy],
    // During shutdown requests are still answered, with `Connection: close`: none is lost.
    return503OnClosing: false,
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false },
    exposeHeadRoutes: false,
    ...more,
  })
  // A plain property, which every scope inherits.
  Object.assign(app, { log })
  app.addHook('onRequest', function lendLog(request: Logging, reply: Logging, done) {
    request.log = log
    reply.log = log
    done()
  })
  return app
}

/** A request or a reply; the framework's types say that nobody else sets its log. */
interface Logging {
  log: Logger
}

/** A fresh id for each request; never the client's, which could be forged or reused. */
export function newRequestId(): string {
  return randomText(requestIdBytes, 'base64url')
}
