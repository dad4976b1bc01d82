import { type buildConnector, type Dispatcher, Pool } from 'undici'
import type { CertificatePair } from '../../network/agents.ts'
import { type Call, InFlightCalls, type NoPlace, type PlaceLimits } from '../calls/in-flight.ts'
import { type Connector, createConnector, type RouteConnection, tlsWith } from './connector.ts'
import { sweepMs } from './sweep.ts'

/** What the pool of a route's upstream is made of. A route satisfies it. */
export interface UpstreamPoolOptions extends PlaceLimits, RouteConnection {
  readonly upstream: URL
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
  /** @param certificate shown to the upstream instead of the route's own */
  dispatch(options: Dispatcher.DispatchOptions, call: DispatchedCall, certificate?: CertificatePair): void
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

/** Certificates that are shown at once: the one in force, and those to which tokens are still bound. */
const mostCertificates = 4

/** All headers of an answer together, bytes; more is no answer. */
const maxAnswerHeaderBytes = 32 * 1024

/** Creates the pool. Nothing is connected before the first request. */
export function createUpstreamPool(options: UpstreamPoolOptions, now: () => number): UpstreamPool {
  const unanswered = new WeakSet<Error>()
  const calls = new InFlightCalls(options)
  const createLane = (certificate?: CertificatePair): Lane => {
    const connector = createConnector({ ...options, tls: tlsWith(options.tls, certificate) }, unanswered)
    return { connector, pool: createPool(options, connector.connect) }
  }
  const retiring = new Set<Pool>()
  let plain = createLane()
  let others = new Map<string, Lane>()
  let bornAtMs = now()
  const sweeper = setInterval(() => {
    state.sweep += 1
    calls.visit((call) => call.checkSilence(state.sweep))
    if (now() - bornAtMs >= renewAfterMs) renew()
  }, sweepMs).unref()

  function renew(): void {
    bornAtMs = now()
    const old = [plain, ...others.values()]
    plain = renewed(plain)
    const used = [...others].slice(-mostCertificates)
    others = new Map(used.map(([name, lane]) => [name, renewed(lane)]))
    for (const { pool } of old) {
      retiring.add(pool)
      void closeWithin(pool, retireMs).finally(() => retiring.delete(pool))
    }
  }

  function renewed({ connector }: Lane): Lane {
    return { connector, pool: createPool(options, connector.connect) }
  }

  function laneOf(certificate: CertificatePair): Lane {
    const known = others.get(certificate.certPem)
    if (known !== undefined) return known
    const made = createLane(certificate)
    others.set(certificate.certPem, made)
    return made
  }

  const state: UpstreamPool = {
    sweep: 0,
    calls,
    enter: (call) => calls.enter(call),
    leave: (call) => calls.leave(call),
    dispatch(dispatchOptions, call, certificate) {
      const { connector, pool } = certificate === undefined ? plain : laneOf(certificate)
      connector.during(call, () => void pool.dispatch(dispatchOptions, call))
    },
    stopConnecting(call) {
      for (const { connector } of [plain, ...others.values()]) connector.stop(call)
    },
    endedUnanswered: (error) => unanswered.has(error),
    async close(graceMs) {
      clearInterval(sweeper)
      const pools = [plain, ...others.values()].map((lane) => lane.pool)
      await Promise.all([...pools, ...retiring].map((open) => closeWithin(open, graceMs)))
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

/** The connections that show the same certificate. */
interface Lane {
  readonly connector: Connector
  readonly pool: Pool
}

async function closeWithin(pool: Pool, graceMs: number): Promise<void> {
  const deadline = setTimeout(() => void pool.destroy(), graceMs).unref()
  await pool.close().catch(() => undefined)
  clearTimeout(deadline)
}
