import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { Logger, Telemetry } from '../../telemetry/telemetry.ts'
import type { ErrorAnswers } from '../answers/error-answer.ts'
import type { GatewayPaths } from '../server/paths.ts'

/** How often the event loop is looked at, milliseconds. */
const sampleMs = 100
/** A person notices when work has waited as long as this; a busy machine alone does not come near it. Milliseconds. */
const lateMs = 500
/** Late this often in a row is a queue that stays, and no pause of the collector or of a busy machine. */
const standingSamples = 3
/** The share grows with the time that work has waited, and shrinks by a tenth, so that it settles where the queue is just gone. */
const growthPerMs = 0.1 / 500
const decline = 0.9
const leastShare = 0.01

/** Decides what share of the requests is turned away. */
export interface Shedder {
  /** Takes a measurement: by how much the event loop was late, milliseconds. */
  observe(lagMs: number): void
  /** From 0, nobody, to 1, everybody. */
  share(): number
}

/** Makes the rule. Pure: it learns of time through {@link Shedder.observe} alone. */
export function createShedder(): Shedder {
  let lateInARow = 0
  let share = 0
  return {
    observe(lagMs) {
      lateInARow = lagMs >= lateMs ? lateInARow + 1 : 0
      if (lateInARow >= standingSamples) share = Math.min(1, share + lagMs * growthPerMs)
      else if (lateInARow === 0) share = share < leastShare ? 0 : share * decline
    },
    share: () => share,
  }
}

/** What the protection needs. */
export interface OverloadDependencies {
  readonly paths: Pick<GatewayPaths, 'livez' | 'readyz'>
  readonly errorAnswers: ErrorAnswers
  readonly telemetry: Pick<Telemetry, 'log' | 'metrics'>
  /** Told of the event loop by whoever made it. */
  readonly shedder: Pick<Shedder, 'share'>
  /** Chooses whom it meets: at least 0, less than 1. */
  readonly random?: () => number
}

/**
 * Turns requests away with 503 `overloaded` while the event loop is late, so that those that are let in are answered in time. Open streams
 * go on. Probes are always answered: a process that is restarted for being busy only leaves its work to the others.
 */
export function installOverloadProtection(app: FastifyInstance, dependencies: OverloadDependencies): void {
  const { paths, errorAnswers, telemetry, shedder, random = Math.random } = dependencies
  const probes = new Set<string | undefined>([paths.livez, paths.readyz])
  // Counted, without a line for each: writing thousands of them would be more of what there is too much of.
  const turnAway = (request: FastifyRequest, reply: FastifyReply): void => {
    telemetry.metrics.problem('overloaded')
    const { status, headers, body } = errorAnswers.render(new GatewayError('overloaded'), request)
    void reply.code(status).headers(headers).send(body)
  }
  app.addHook(
    'onRequest',
    function shedLoad(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
      const share = shedder.share()
      if (share === 0 || random() >= share || probes.has(request.routeOptions.url)) done()
      else turnAway(request, reply)
    },
  )
}

/**
 * Lets the rule learn of this process's event loop.
 *
 * @param given is asked in its place, and nothing is watched
 */
export function watchEventLoop(
  log: Logger,
  given?: Pick<Shedder, 'share'>,
): { readonly shedder: Pick<Shedder, 'share'>; stop(): void } {
  if (given !== undefined) return { shedder: given, stop: () => undefined }
  const shedder = createShedder()
  return { shedder, stop: sampleEventLoop(tellingOf(shedder, log)) }
}

/** Says when shedding begins and when it is over. */
function tellingOf(shedder: Shedder, log: Logger): (lagMs: number) => void {
  return (lagMs) => {
    const before = shedder.share()
    shedder.observe(lagMs)
    const after = shedder.share()
    const facts = { lagMilliseconds: Math.round(lagMs) }
    if (before === 0 && after > 0) log.warn(facts, 'overloaded: some requests are turned away')
    if (before > 0 && after === 0) log.info(facts, 'no longer overloaded')
  }
}

/** Measures how late a timer is, again and again. Returns what stops it. */
export function sampleEventLoop(observe: (lagMs: number) => void): () => void {
  let timer: NodeJS.Timeout
  const next = (): void => {
    const dueAtMs = performance.now() + sampleMs
    timer = setTimeout(() => {
      observe(Math.max(0, performance.now() - dueAtMs))
      next()
    }, sampleMs).unref()
  }
  next()
  return () => clearTimeout(timer)
}
