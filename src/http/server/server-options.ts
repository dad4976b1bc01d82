import { createServer, type Server } from 'node:http'
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  LogController,
} from 'fastify'
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
export function createServerOptions(settings: ServerSettings) {
  return {
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: newRequestId,
    requestIdHeader: false,
    trustProxy: settings.trustProxy.length === 0 ? false : [...settings.trustProxy],
    // During shutdown requests are still answered, with `Connection: close`: none is lost.
    return503OnClosing: false,
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false },
    exposeHeadRoutes: false,
  } satisfies FastifyServerOptions
}

/**
 * Gives a root our log. One that it was made with would cost each request more than the whole guard: a logger of its own, which is checked to be
 * one, and listeners on the answer for a line that we write ourselves.
 */
export function lendLog(app: FastifyInstance, log: Logger): void {
  Object.assign(app, { log })
  app.addHook('onRequest', (request: Logging<FastifyRequest>, reply: Logging<FastifyReply>, done) => {
    request.log = log
    reply.log = log
    done()
  })
}

/** The framework's own, whose log is still to be set. */
type Logging<Framed> = Framed & { log: Logger }

/** A fresh id for each request; never the client's, which could be forged or reused. */
export function newRequestId(): string {
  return randomText(requestIdBytes, 'base64url')
}
