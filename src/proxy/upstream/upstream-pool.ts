import type { Socket } from 'node:net'
import { buildConnector, type Dispatcher, Pool } from 'undici'
import { type Call, InFlightCalls, type NoPlace, type PlaceLimits } from '../exchange/in-flight.ts'
import { sweepMs } from './sweep.ts'

/** What the pool of a route's upstream is made of. A route satisfies it. */
export interface UpstreamPoolOptions extends PlaceLimits {
  readonly upstream: URL
  readonly connectTimeoutMs: number
  readonly tls:
    | {
        readonly caPem: string | undefined
        readonly certPem: string | undefined
        readonly keyPem: string | undefined
      }
    | undefined
}

/** A call that is sent through the pool. */
export type DispatchedCall = Call & Dispatcher.DispatchHandler

/** The connections to one route's upstream: bounded, verified, and renewed so that they follow DNS. */
export interface UpstreamPool {
  /** Number of sweeps so far: a clock of {@link sweepMs} that costs nothing to read. */
  sweep: number
  /** The calls that hold a place. */
  readonly calls: InFlightCalls
  /** Takes one of the places, or says why not. Each place is given back by {@link UpstreamPool.leave}. */
  enter(call: Call): NoPlace | undefined
  /** Gives the place back. */
  leave(call: Call): void
  dispatch(options: Dispatcher.DispatchOptions, call: DispatchedCall): void
  /** Gives up the connection that is made for this call, if one is: the call's error follows. */
  stopConnecting(call: Call): void
  /** Whether the connection that ended with this error had carried an answer before, and not one byte of this one. */
  endedUnanswered(error: Error): boolean
  /** Lets requests under way finish for `graceMs` at most, then ends them. */
  close(graceMs: number): Promise<void>
}

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
  const calls = new InFlightCalls(options)
  const connector = createConnector(options, unanswered)
  const { connect } = connector
  const retiring = new Set<Pool>()
  let pool = createPool(options, connect)
  let bornAtMs = now()
  const sweeper = setInterval(() => {
    state.sweep += 1
    calls.visit((call) => call.checkSilence(state.sweep))
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
    calls,
    enter: (call) => calls.enter(call),
    leave: (call) => calls.leave(call),
    dispatch: (dispatchOptions, call) =>
      connector.during(call, () => void pool.dispatch(dispatchOptions, call)),
    stopConnecting: connector.stop,
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

/** Makes connections, and knows for which call each is made. */
interface Connector {
  readonly connect: buildConnector.connector
  /** What is connected while `dispatch` runs is for this call. */
  during(call: Call, dispatch: () => void): void
  stop(call: Call): void
}

/**
 * Certificates are always verified, whatever the environment says (`NODE_TLS_REJECT_UNAUTHORIZED`). Undici cannot take back a request that
 * waits for its connection, so such a connection is ended here.
 */
function createConnector(options: UpstreamPoolOptions, unanswered: WeakSet<Error>): Connector {
  // Its type does not say that it returns the socket.
  const build = buildConnector({ ...tlsOptions(options.tls), timeout: options.connectTimeoutMs }) as (
    ...given: Parameters<buildConnector.connector>
  ) => Socket
  const connecting = new Map<Call, Socket>()
  let dispatched: Call | undefined
  return {
    connect(target, callback) {
      const call = dispatched
      const socket = build(target, (error, connected) => {
        if (call !== undefined) connecting.delete(call)
        if (error === null) watchAnswers(connected, unanswered)
        if (error === null) callback(null, connected)
        else callback(error, null)
      })
      if (call !== undefined) connecting.set(call, socket)
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
