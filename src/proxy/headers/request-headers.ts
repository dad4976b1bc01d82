import { canonicalHeaderName } from '../../basics/header-name.ts'
import type { CookiePolicy } from '../../http/cookies/cookie-policy.ts'
import { isTraceparent, newTraceparent } from '../../telemetry/traces/trace-context.ts'
import type { TraceHeaders } from '../../telemetry/traces/tracing.ts'
import { createDropTest, droppedFromRequests, namesOf } from './dropped-names.ts'
import { connectionListed, createNameTable } from './header-names.ts'
import type { ReservedNames } from './reserved-names.ts'

/** What a route says about the headers of its requests. */
export interface RequestHeaderRules {
  readonly cookies: CookiePolicy
  /** The client's own `authorization` passes; only without a token of ours. */
  readonly forwardAuthorization: boolean
  readonly forwardOrigin: boolean
  /** Written into `x-forwarded-prefix`; '' writes none. */
  readonly prefix: string
  /** Decides `x-forwarded-host` and `x-forwarded-proto`. */
  readonly baseUrl: URL
  /** Lower-case names that the transport writes itself, such as those of a WebSocket handshake. */
  readonly writtenByTransport?: readonly string[]
  /** Names that are the gateway's to write, on some route of the process: nobody else's pass, on any route. */
  readonly reservedNames: ReservedNames
}

/** What is written fresh into each request. */
export interface FreshHeaders {
  /** Value of `authorization`, ours; `undefined` sends none. */
  readonly authorization: string | undefined
  /** Value of `dpop`, ours: the proof for a token that is bound to a key. */
  readonly proof?: string | undefined
  /** Headers that tell the API who calls; names and values in turn. */
  readonly identity?: readonly string[] | undefined
  /** The addresses the request came from, the client's first. */
  readonly forwardedFor: string
  readonly requestId: string
  /** The trace of ours that the upstream joins; `undefined`: nothing is traced here, and the client's is handed on. */
  readonly trace?: TraceHeaders | undefined
}

/** Turns the raw header list of a request into the flat list for the upstream (DESIGN section 2.3). */
export type RequestHeaderPolicy = (
  untrustedRawHeaders: readonly string[],
  untrustedConnection: string | undefined,
  fresh: FreshHeaders,
) => string[]

type Action = 'pass' | 'drop' | 'cookie' | 'traceparent' | 'tracestate'

const isDropped = createDropTest(droppedFromRequests)

/** What browsers usually send, so that their headers are classified before the first request. */
const usualNames = [
  ...namesOf(droppedFromRequests),
  ...'accept accept-encoding accept-language cache-control content-length content-type cookie dnt'.split(' '),
  ...'if-match if-modified-since if-none-match if-range if-unmodified-since pragma priority range'.split(' '),
  ...'referer sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode'.split(' '),
  ...'sec-fetch-site sec-gpc traceparent tracestate user-agent via x-csrf x-requested-with'.split(' '),
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]

/** What one pass over a request's headers yields. */
class RequestDraft {
  readonly headers: string[] = []
  traceparent: string | undefined
  traceparents = 0
  tracestates: string[] | undefined
}

/** Builds a route's request policy: one pass over the raw list, every name decided by a table. */
export function createRequestHeaderPolicy(rules: RequestHeaderRules): RequestHeaderPolicy {
  const { reservedNames } = rules
  const createTable = () => createNameTable(createClassifier(rules), usualNames)
  let actionOf = createTable()
  let { edition } = reservedNames
  const fixed = fixedHeaders(rules)
  return (untrustedRawHeaders, untrustedConnection, fresh) => {
    if (edition !== reservedNames.edition) {
      edition = reservedNames.edition
      actionOf = createTable()
    }
    const listed = connectionListed(untrustedConnection)
    const draft = new RequestDraft()
    for (let at = 0; at + 1 < untrustedRawHeaders.length; at += 2) {
      const name = untrustedRawHeaders[at] ?? ''
      const action = actionOf(name)
      if (action === 'drop' || listed?.has(canonicalHeaderName(name))) continue
      const value = untrustedRawHeaders[at + 1] ?? ''
      if (action === 'pass') draft.headers.push(name, value)
      else judge(draft, action, value, rules.cookies)
    }
    pushTrace(draft, fresh.trace)
    pushFresh(draft.headers, fresh, fixed)
    return draft.headers
  }
}

function createClassifier(rules: RequestHeaderRules): (lowerCaseName: string) => Action {
  const special: Readonly<Record<string, Action>> = {
    ...Object.fromEntries((rules.writtenByTransport ?? []).map((name) => [name, 'drop'])),
    // The client's own token may be bound to its key.
    ...(rules.forwardAuthorization && { authorization: 'pass', dpop: 'pass' }),
    ...(rules.forwardOrigin && { origin: 'pass' }),
    cookie: 'cookie',
    traceparent: 'traceparent',
    tracestate: 'tracestate',
  }
  return (lowerCaseName) => {
    const name = canonicalHeaderName(lowerCaseName)
    // `content_length`: a second length in the eyes of servers that merge the two spellings.
    if (name === 'content-length' && lowerCaseName !== name) return 'drop'
    if (rules.reservedNames.has(name)) return 'drop'
    if (Object.hasOwn(special, name)) return special[name] ?? 'drop'
    return isDropped(name) ? 'drop' : 'pass'
  }
}

function judge(
  draft: RequestDraft,
  action: Exclude<Action, 'pass' | 'drop'>,
  untrustedValue: string,
  cookies: CookiePolicy,
): void {
  if (action === 'cookie') {
    const cookie = cookies.toUpstream(untrustedValue)
    if (cookie !== undefined) draft.headers.push('cookie', cookie)
  } else if (action === 'tracestate') {
    draft.tracestates ??= []
    draft.tracestates.push(untrustedValue)
  } else {
    draft.traceparent = untrustedValue
    draft.traceparents += 1
  }
}

function fixedHeaders(rules: RequestHeaderRules): readonly string[] {
  const { baseUrl, prefix } = rules
  return [
    'x-forwarded-host',
    baseUrl.host,
    'x-forwarded-proto',
    baseUrl.protocol.slice(0, -1),
    ...(prefix === '' ? [] : ['x-forwarded-prefix', prefix]),
  ]
}

/** Ours; else the client's when there is one and it is valid, and only then its state; else a new one. */
function pushTrace(
  { headers, traceparent, traceparents, tracestates }: RequestDraft,
  ours: TraceHeaders | undefined,
): void {
  if (ours !== undefined) {
    headers.push('traceparent', ours.traceparent)
    if (ours.tracestate !== undefined) headers.push('tracestate', ours.tracestate)
    return
  }
  if (traceparent === undefined || traceparents !== 1 || !isTraceparent(traceparent)) {
    headers.push('traceparent', newTraceparent())
    return
  }
  headers.push('traceparent', traceparent)
  for (const state of tracestates ?? []) headers.push('tracestate', state)
}

function pushFresh(headers: string[], fresh: FreshHeaders, fixed: readonly string[]): void {
  if (fresh.authorization !== undefined) headers.push('authorization', fresh.authorization)
  if (fresh.proof !== undefined) headers.push('dpop', fresh.proof)
  if (fresh.identity !== undefined) for (const item of fresh.identity) headers.push(item)
  headers.push('x-forwarded-for', fresh.forwardedFor, 'x-request-id', fresh.requestId)
  for (const item of fixed) headers.push(item)
}
