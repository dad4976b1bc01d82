import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import type { CertificatePair } from '../../network/agents.ts'
import { lookupTogether } from '../../network/lookups.ts'
import { type Connecting, openTunnel } from '../../network/tunnel.ts'
import type { Call } from '../calls/in-flight.ts'

/** How a route's upstream is connected. */
export interface RouteConnection {
  readonly connectTimeoutMs: number
  readonly tls:
    | {
        readonly caPem: string | undefined
        readonly certPem: string | undefined
        readonly keyPem: string | undefined
      }
    | undefined
  /** A proxy on the way, for https; absent: none. */
  readonly outboundProxy?: URL | undefined
}

/** Makes connections, and knows for which call each is made. */
export interface Connector {
  readonly connect: buildConnector.connector
  /** What is connected while `dispatch` runs is for this call. */
  during(call: Call, dispatch: () => void): void
  stop(call: Call): void
}

/**
 * Certificates are always verified, whatever the environment says (`NODE_TLS_REJECT_UNAUTHORIZED`). Undici cannot take back a request that
 * waits for its connection, so such a connection is ended here.
 */
export function createConnector(options: RouteConnection, unanswered: WeakSet<Error>): Connector {
  // Its type does not say that it returns the socket.
  const settings = { ...tlsOptions(options.tls), timeout: options.connectTimeoutMs, lookup: lookupTogether }
  const build = buildConnector(settings) as (...given: Parameters<buildConnector.connector>) => Socket
  const connecting = new Map<Call, Connecting>()
  const begin = options.outboundProxy === undefined ? build : throughTunnel(options, build)
  let dispatched: Call | undefined
  return {
    connect(target, callback) {
      const call = dispatched
      const begun = begin(target, (error, connected) => {
        if (call !== undefined) connecting.delete(call)
        if (error === null) watchAnswers(connected, unanswered)
        if (error === null) callback(null, connected)
        else callback(error, null)
      })
      if (call !== undefined) connecting.set(call, begun)
    },
    during(call, dispatch) {
      dispatched = call
      try {
        dispatch()
      } finally {
        dispatched = undefined
      }
    },
    stop: (call) => void connecting.get(call)?.destroy(new Error('nobody waits for this connection')),
  }
}

type Build = (...given: Parameters<buildConnector.connector>) => Connecting

/** First the tunnel, then TLS within it: the proxy sees the API's name and nothing else. */
function throughTunnel({ outboundProxy, connectTimeoutMs, tls }: RouteConnection, build: Build): Build {
  return (target, callback) => {
    if (outboundProxy === undefined) return build(target, callback)
    const way = { proxy: outboundProxy, timeoutMs: connectTimeoutMs, ca: tls?.caPem }
    const host = target.hostname.includes(':') ? `[${bare(target.hostname)}]` : target.hostname
    const authority = `${host}:${target.port === '' ? '443' : target.port}`
    let current: Connecting = openTunnel(way, authority, (error, socket) => {
      if (socket === undefined) callback(error ?? new Error('no tunnel'), null)
      else current = build({ ...target, httpSocket: socket }, callback)
    })
    return { destroy: (error) => current.destroy(error) }
  }
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

/** How a route's upstream is connected with another certificate than the route's own; `undefined`: with that. */
export function tlsWith(
  tls: RouteConnection['tls'],
  certificate: CertificatePair | undefined,
): RouteConnection['tls'] {
  if (certificate === undefined) return tls
  return { caPem: tls?.caPem, certPem: certificate.certPem, keyPem: certificate.keyPem }
}

/** TLS options for any connection to a route's upstream. */
export function tlsOptions(tls: RouteConnection['tls']) {
  return {
    rejectUnauthorized: true,
    ...(tls?.caPem !== undefined && { ca: tls.caPem }),
    ...(tls?.certPem !== undefined && { cert: tls.certPem }),
    ...(tls?.keyPem !== undefined && { key: tls.keyPem }),
  }
}

/**
 * Remembers the errors with which a connection ended that had been used before, while no byte of an answer to its last request had come: the
 * upstream had closed it in the meantime. A connection carries one request at a time, and only one without a body may be repeated, which is
 * one write.
 */
function watchAnswers(socket: Socket, unanswered: WeakSet<Error>): void {
  let bytesBefore = 0
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
  socket.write = (...args: unknown[]) => {
    bytesBefore = socket.bytesRead
    return write(...args)
  }
  socket.on('error', (error) => {
    if (bytesBefore > 0 && socket.bytesRead === bytesBefore) unanswered.add(error)
    // Undici takes a reset for the end of a body that has no other, because macOS may report one: it is none (RFC 9112 section 8).
    else if ('code' in error && error.code === 'ECONNRESET') error.code = 'UND_ERR_SOCKET'
  })
}
