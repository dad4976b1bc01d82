import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { textOf } from '../../basics/text.ts'
import { healthEndpoints } from '../../config/endpoints.ts'
import { createRequestLine, type RequestOutcome } from '../../telemetry/logs/request-line.ts'
import { noMetrics } from '../../telemetry/measures/metrics.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { RequestSpan, Tracing } from '../../telemetry/traces/tracing.ts'
import { reportedStatus, whenOver } from '../lifetime/life.ts'
import type { GatewayPaths } from './paths.ts'

/** Whose request it is, as logs may know it. A session's view fits. */
export interface Caller {
  readonly sessionRef: string
  readonly userRef: string
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the session of a request is known; `null` before, and for requests without one. */
    caller: Caller | null
    /** The request's span; `null` while nothing is traced. */
    span: RequestSpan | null
  }
}

/** A longer path says nothing more to an operator, characters. */
const longestPath = 256

/** The label of what has none of its own: the app's files, and what nothing answered. */
export const otherRoute = 'other'

/** An upgraded connection; its time says how long it was open, not how long anybody waited. */
const switchingProtocols = 101

/** A request whose outcome is reported. One of Fastify's is such a one. */
export interface WatchedRequest {
  readonly id: string
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly raw: { readonly url?: string | undefined }
  readonly caller: Caller | null
  span: RequestSpan | null
  /** The pattern that it matched. */
  readonly routeOptions: { readonly url?: string | undefined }
}

/** What answers it. One of Fastify's replies is such a one. */
interface WatchedReply {
  readonly raw: ServerResponse
}

/** Reports what became of a request, once that is known. */
export type WatchOutcome = (request: WatchedRequest, reply: WatchedReply) => void

/** The labels under which requests are measured, by the pattern of their route: a closed set, whatever clients ask for. */
export function routeLabels(paths: GatewayPaths, prefixes: readonly string[]): ReadonlyMap<string, string> {
  return new Map([
    ...Object.values(paths).map((path: string): [string, string] => [path, path]),
    ...prefixes.flatMap((prefix): [string, string][] => [
      [prefix, prefix],
      [`${prefix}/*`, prefix],
    ]),
  ])
}

/**
 * One line and one measurement for each request, whatever became of it: answered, or left by its browser. The query is left out: on
 * `/callback` it holds a code. `undefined` when nobody wants to know.
 */
export function createOutcomeWatch(
  { log, metrics, tracing }: Telemetry,
  labels: ReadonlyMap<string, string>,
): WatchOutcome | undefined {
  const isWritten = isLineWritten(log)
  const writeLine = createRequestLine(log)
  const isMeasured = metrics !== noMetrics
  if (!isWritten && !isMeasured && tracing === undefined) return undefined
  return (request, reply) => {
    const startedAtMs = performance.now()
    const { raw } = reply
    if (tracing !== undefined && !isProbe(request)) request.span = beginSpan(tracing, request)
    // Not the hook onResponse: it is not run for answers that were broken off.
    whenOver(raw.req, raw, () => {
      const milliseconds = performance.now() - startedAtMs
      const status = reportedStatus(raw)
      if (isMeasured && status !== switchingProtocols) {
        metrics.request(labelOf(labels, request), status, milliseconds / 1_000)
      }
      request.span?.end({
        route: labelOf(labels, request),
        status,
        sessionRef: request.caller?.sessionRef,
        userRef: request.caller?.userRef,
      })
      if (isWritten) writeLine(describeOutcome(request, reply, milliseconds))
    })
  }
}

/** Watches every request that reaches a route, and those that reach none. */
export function installRequestLog(
  app: FastifyInstance,
  watch: WatchOutcome | undefined,
  tracing: Tracing | undefined,
): void {
  app.decorateRequest('caller', null)
  app.decorateRequest('span', null)
  if (watch === undefined) return
  app.addHook('onRequest', function watchOutcome(request, reply, done): void {
    watch(request, reply)
    if (tracing === undefined || request.span === null) done()
    else tracing.within(request.span, done)
  })
}

/** Whether the log takes request lines. */
export function isLineWritten({ level }: Telemetry['log']): boolean {
  return ['info', 'debug', 'trace'].includes(level)
}

/** Probes come every few seconds for as long as the process lives; nobody wants a trace of each. */
function isProbe({ raw }: WatchedRequest): boolean {
  const path: string = pathOf(raw.url ?? '')
  return healthEndpoints.some((endpoint) => endpoint === path)
}

function labelOf(labels: ReadonlyMap<string, string>, request: WatchedRequest): string {
  return labels.get(request.routeOptions.url ?? '') ?? otherRoute
}

function beginSpan(tracing: Tracing, { id, method, headers, raw }: WatchedRequest): RequestSpan {
  const { traceparent, tracestate } = headers
  return tracing.begin({
    requestId: id,
    method,
    path: pathOf(raw.url ?? ''),
    untrustedTraceparent: textOf(traceparent),
    untrustedTracestate: textOf(tracestate),
  })
}

function describeOutcome(request: WatchedRequest, reply: WatchedReply, milliseconds: number): RequestOutcome {
  const { raw } = reply
  const { caller } = request
  return {
    requestId: request.id,
    method: request.method,
    path: pathOf(request.raw.url ?? ''),
    status: reportedStatus(raw),
    milliseconds: Math.round(milliseconds * 10) / 10,
    complete: raw.writableFinished || raw.statusCode === switchingProtocols,
    sessionRef: caller?.sessionRef,
    userRef: caller?.userRef,
    traceId: request.span?.traceId,
  }
}

/** The path of a target as the log has it: without its query, and not longer than says something. */
export function pathOf(untrustedTarget: string): string {
  const queryAt = untrustedTarget.indexOf('?')
  return (queryAt === -1 ? untrustedTarget : untrustedTarget.slice(0, queryAt)).slice(0, longestPath)
}
