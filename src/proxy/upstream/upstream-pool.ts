import type { Socket } from 'node:net'
import { buildConnector, type Dispatcher, Pool } from 'undici'
import { type InFlight, InFlightRequests } from '../exchange/in-flight.ts'

/** What the pool of a route's upstream is made of. A route satisfies it. */
export interface UpstreamPoolOptions {
  readonly upstream: URL
  readonly connectTimeoutMs: number
  /** Requests under way at once; as many connections may be open. */
  readonly maxInFlight: number
  readonly tls:
    | {
        readonly caPem: string | undefined
        readonly certPem: string | undefined
        readonly keyPem: string | undefined
      }
    | undefined
}

/** The connections to one route's upstream: bounded, verified, and renewed so that they follow DNS. */
export interface UpstreamPool {
  /** Number of sweeps so far: a clock of {@link sweepMs} that costs nothing to read. */
  sweep: number
  /** Takes one of the places; false when all are taken. Each place is given back by {@link UpstreamPool.leave}. */
  enter(request: InFlight): boolean
  /** Gives the place back. */
  leave(request: InFlight): void
  dispatch(options: Dispatcher.DispatchOptions, request: InFlight): void
  /** Whether the connection that ended with this error had carried an answer before, and not one byte of this one. */
  endedUnanswered(error: Error): boolean
  /** Lets requests under way finish for `graceMs` at most, then ends them. */
  close(graceMs: number): Promise<void>
}

/** How often silence is measured; a timeout is exact to this many milliseconds. */
export const sweepMs = 250

/** Connections older than this are replaced when idle, so that a changed DNS name is followed. */
const renewAfterMs = 60_000

/** Answers on a replaced connection, event streams above all, may last as long as a session, at most this; milliseconds. */
const retireMs = 86_400_000

/** Idle connections are closed after this unless the upstream announces a shorter time; below what servers usually keep. */
const keepAliveMs = 4_000

/** The longest that an upstream's own announcement is believed. */
const keepAliveMaxMs = 25_000

/** All headers of an answer together, bytes; more is no answer. */
const maxAnswerHeaderBytes = 32 * 1024

/** Creates the pool. Nothing is connected before the first request. */
export function createUpstreamPool(options: UpstreamPoolOptions, now: () => number): UpstreamPool {
  const unanswered = new WeakSet<Error>()
  const underWay = new InFlightRequests(options.maxInFlight)
  const connect = createConnector(options, unanswered)
  const retiring = new Set<Pool>()
  let pool = createPool(options, connect)
  let bornAtMs = now()
  const sweeper = setInterval(() => {
    state.sweep += 1
    underWay.checkSilence(state.sweep)
    if (now() - bornAtMs >= renewAfterMs) renew()
  }, sweepMs).unref()

  function renew(): void {
    bornAtMs = now()
    const old = pool
    pool = createPool(options, connect)
    retiring.add(old)
    void closeWithin(old, retireMs).finally(() => retiring.delete(old))
  }

  const state: UpstreamPool = {
    sweep: 0,
    enter: (request) => underWay.enter(request),
    leave: (request) => underWay.leave(request),
    dispatch: (dispatchOptions, request) => void pool.dispatch(dispatchOptions, request),
    endedUnanswered: (error) => unanswered.has(error),
    async close(graceMs) {
      clearInterval(sweeper)
      await Promise.all([pool, ...retiring].map((open) => closeWithin(open, graceMs)))
    },
  }
  return state
}

function createPool(options: UpstreamPoolOptions, connect: buildConnector.connector): Pool {
  return new Pool(options.upstream.origin, {
    connect,
    // One more than may be under way: undici's own queue, which has no bound, is never used.
    connections: options.maxInFlight + 1,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMaxMs,
    maxHeaderSize: maxAnswerHeaderBytes,
    // Silence is measured by the sweep, which knows event streams and slow clients, and costs no timer per request.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
}

/** Certificates are always verified, whatever the environment says (`NODE_TLS_REJECT_UNAUTHORIZED`). */
function createConnector(options: UpstreamPoolOptions, unanswered: WeakSet<Error>): buildConnector.connector {
  const connect = buildConnector({ ...tlsOptions(options.tls), timeout: options.connectTimeoutMs })
  return (target, callback) => {
    connect(target, (error, socket) => {
      if (error === null) watchAnswers(socket, unanswered)
      if (error === null) callback(null, socket)
      else callback(error, null)
    })
  }
}

/** TLS options for any connection to a route's upstream. */
export function tlsOptions(tls: UpstreamPoolOptions['tls']) {
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
  })
}

async function closeWithin(pool: Pool, graceMs: number): Promise<void> {
  const deadline = setTimeout(() => void pool.destroy(), graceMs).unref()
  await pool.close().catch(() => undefined)
  clearTimeout(deadline)
}
