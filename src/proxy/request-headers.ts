import type { CookiePolicy } from './cookie-policy.ts'
import { canonicalName, connectionListed, createNameTable, hopByHop } from './header-names.ts'
import { isTraceparent, newTraceparent } from './trace-context.ts'

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
}

/** What is written fresh into each request. */
export interface FreshHeaders {
  /** Value of `authorization`, ours; `undefined` sends none. */
  readonly authorization: string | undefined
  /** The addresses the request came from, the client's first. */
  readonly forwardedFor: string
  readonly requestId: string
}

/** Turns the raw header list of a request into the flat list for the upstream (DESIGN section 2.3). */
export type RequestHeaderPolicy = (
  untrustedRawHeaders: readonly string[],
  untrustedConnection: string | undefined,
  fresh: FreshHeaders,
) => string[]

type Action = 'pass' | 'drop' | 'cookie' | 'traceparent' | 'tracestate'

/** Removed always: identity and routing that only a trusted hop may assert, and what belongs to one connection. */
const removedNames = new Set([
  ...hopByHop,
  'host',
  'expect',
  'http2-settings',
  'authorization',
  'dpop',
  'forwarded',
  'x-forwarded',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'remote-user',
  'x-remote-user',
  'x-method-override',
  'x-rewrite-url',
  'x-middleware-subrequest',
  'x-request-id',
  'origin',
])

const removedPrefixes = [
  'proxy-',
  'x-forwarded-',
  'x-user',
  'x-auth-request-',
  'x-authenticated-',
  'x-ms-client-principal',
  'x-amzn-oidc-',
  'x-goog-authenticated-user-',
  'cf-access-',
  'ssl-client-',
  'x-ssl-client-',
  'x-client-cert',
  'x-http-method',
  'x-original-',
]

/** What browsers usually send, so that their headers are classified before the first request. */
const usualNames = [
  ...removedNames,
  ...'accept accept-encoding accept-language cache-control content-length content-type cookie dnt'.split(' '),
  ...'if-match if-modified-since if-none-match if-range if-unmodified-since pragma priority range'.split(' '),
  ...'referer sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode'.split(' '),
  ...'sec-fetch-site sec-gpc traceparent tracestate user-agent via x-csrf x-requested-with'.split(' '),
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]

/** Builds a route's request policy: one pass over the raw list, every name decided by a table. */
export function createRequestHeaderPolicy(rules: RequestHeaderRules): RequestHeaderPolicy {
  const actionOf = createNameTable(createClassifier(rules), usualNames)
  const fixed = fixedHeaders(rules)
  return (untrustedRawHeaders, untrustedConnection, fresh) => {
    const listed = connectionListed(untrustedConnection)
    const headers: string[] = []
    let traceparent: string | undefined
    let traceparents = 0
    const tracestates: string[] = []
    for (let at = 0; at + 1 < untrustedRawHeaders.length; at += 2) {
      const name = untrustedRawHeaders[at] ?? ''
      const value = untrustedRawHeaders[at + 1] ?? ''
      const action = actionOf(name)
      if (action === 'drop' || listed?.has(canonicalName(name))) continue
      if (action === 'pass') headers.push(name, value)
      else if (action === 'cookie') pushCookie(headers, rules.cookies, value)
      else if (action === 'tracestate') tracestates.push(value)
      else {
        traceparent = value
        traceparents += 1
      }
    }
    pushTrace(headers, traceparents === 1 ? traceparent : undefined, tracestates)
    pushFresh(headers, fresh, fixed)
    return headers
  }
}

function createClassifier(rules: RequestHeaderRules): (lowerCaseName: string) => Action {
  const transport = new Set(rules.writtenByTransport)
  return (lowerCaseName) => {
    const name = canonicalName(lowerCaseName)
    if (name === 'cookie') return 'cookie'
    if (name === 'traceparent' || name === 'tracestate') return name
    if (name === 'authorization') return rules.forwardAuthorization ? 'pass' : 'drop'
    if (name === 'origin') return rules.forwardOrigin ? 'pass' : 'drop'
    if (removedNames.has(name) || transport.has(name)) return 'drop'
    // `content_length`: a second length in the eyes of servers that merge the two spellings.
    if (name === 'content-length' && lowerCaseName !== name) return 'drop'
    return removedPrefixes.some((prefix) => name.startsWith(prefix)) ? 'drop' : 'pass'
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

function pushCookie(headers: string[], policy: CookiePolicy, untrustedValue: string): void {
  const cookie = policy.toUpstream(untrustedValue)
  if (cookie !== undefined) headers.push('cookie', cookie)
}

/** Joins the client's trace when it is valid, and only then passes its state on; otherwise begins one. */
function pushTrace(
  headers: string[],
  untrustedTraceparent: string | undefined,
  states: readonly string[],
): void {
  if (untrustedTraceparent === undefined || !isTraceparent(untrustedTraceparent)) {
    headers.push('traceparent', newTraceparent())
    return
  }
  headers.push('traceparent', untrustedTraceparent)
  for (const state of states) headers.push('tracestate', state)
}

function pushFresh(headers: string[], fresh: FreshHeaders, fixed: readonly string[]): void {
  if (fresh.authorization !== undefined) headers.push('authorization', fresh.authorization)
  headers.push('x-forwarded-for', fresh.forwardedFor, 'x-request-id', fresh.requestId)
  for (const item of fixed) headers.push(item)
}
