import type { HeaderFields } from '../../http/answers/security-headers.ts'
import { isActiveContent, sandboxPolicy } from './active-content.ts'
import { privateCacheControl, varyByCookie } from './caching.ts'
import { withoutPrompts } from './challenges.ts'
import type { CookiePolicy } from './cookie-policy.ts'
import { canonicalName, connectionListed, createNameTable, hopByHop, withoutListed } from './header-names.ts'
import type { LocationMapper } from './location.ts'

/** What a route says about the headers of its answers. */
export interface ResponseHeaderRules {
  readonly cookies: CookiePolicy
  readonly mapLocation: LocationMapper
  /** Answers belong to one user and are kept from shared caches. */
  readonly guarded: boolean
  readonly activeContent: boolean
  /** Headers that every answer gets, whatever the upstream said of them. */
  readonly transport: HeaderFields
  /** Headers that HTML documents get besides. */
  readonly documentHeaders: HeaderFields
}

/** The head of an answer, ready for the browser. */
export interface ResponseHead {
  /** Flat list: name, value, name, value … */
  readonly headers: string[]
  /** Announced body length in bytes, or -1. */
  readonly contentLength: number
  readonly isEventStream: boolean
  /** The upstream sends the browser where this route does not allow; the head must not be used. */
  readonly redirectRefused: boolean
}

/** Turns the raw header list of an upstream's answer into the head for the browser (DESIGN section 2.3). */
export type ResponseHeaderPolicy = (
  status: number,
  rawHeaders: readonly Buffer[],
  upstreamTarget: string,
) => ResponseHead

/** `pass` goes on as it is; the others are looked at, and most are written again at the end. */
type Action =
  | 'pass'
  | 'drop'
  | 'connection'
  | 'length'
  | 'type'
  | 'storage'
  | 'vary'
  | 'validator'
  | 'expires'
  | 'policy'
  | 'location'
  | 'setCookie'
  | 'challenge'
  | 'buffering'

const removedNames = new Set([
  ...hopByHop,
  'clear-site-data',
  'strict-transport-security',
  'service-worker-allowed',
  'alt-svc',
  'server',
  'x-powered-by',
  'proxy-authenticate',
  'proxy-authentication-info',
  'x-content-type-options',
])

/** Instructions to shared caches that `cache-control` does not bind. */
const sharedCacheNames = new Set([
  'surrogate-control',
  'cdn-cache-control',
  'edge-control',
  'x-accel-expires',
])

const judgedNames: Readonly<Record<string, Action>> = {
  connection: 'connection',
  'content-length': 'length',
  'content-type': 'type',
  'cache-control': 'storage',
  vary: 'vary',
  etag: 'validator',
  'last-modified': 'validator',
  expires: 'expires',
  'content-security-policy': 'policy',
  location: 'location',
  'set-cookie': 'setCookie',
  'www-authenticate': 'challenge',
  'x-accel-buffering': 'buffering',
}

const usualNames = [
  ...removedNames,
  ...Object.keys(judgedNames),
  ...'accept-ranges age allow content-disposition content-encoding content-language content-range'.split(' '),
  ...'date link pragma retry-after x-request-id'.split(' '),
]

function createClassifier(guarded: boolean): (lowerCaseName: string) => Action {
  return (lowerCaseName) => {
    const name = canonicalName(lowerCaseName)
    const action = Object.hasOwn(judgedNames, name) ? judgedNames[name] : undefined
    // `content_length` and the like: twins of what is written or judged here say nothing to browsers, and go.
    if (action !== undefined) return name === lowerCaseName ? action : 'drop'
    if (removedNames.has(name) || name.startsWith('access-control-')) return 'drop'
    const forSharedCaches = sharedCacheNames.has(name) || name.endsWith('-cdn-cache-control')
    return guarded && forSharedCaches ? 'drop' : 'pass'
  }
}

/** What one pass over the upstream's headers finds. */
class HeadDraft {
  readonly headers: string[] = []
  contentLength = -1
  connection: string | undefined
  contentType: string | undefined
  cacheControl: string | undefined
  vary: string | undefined
  location: string | undefined
  buffering: string | undefined
  hasValidator = false
  hasExpires = false
  hasPolicy = false
}

/** Builds a route's response policy: one pass, every name decided by a table. */
export function createResponseHeaderPolicy(rules: ResponseHeaderRules): ResponseHeaderPolicy {
  const actionOf = createNameTable(createClassifier(rules.guarded), usualNames)
  const ours = Object.entries(rules.transport).flat()
  const ofDocuments = Object.entries(rules.documentHeaders).flat()
  return (status, rawHeaders, upstreamTarget) => {
    const draft = new HeadDraft()
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at]?.toString('latin1') ?? ''
      const action = actionOf(name)
      if (action === 'drop') continue
      const value = rawHeaders[at + 1]?.toString('latin1') ?? ''
      if (action === 'pass') draft.headers.push(name, value)
      else judge(draft, action, name, value, rules)
    }
    const isDocument = draft.contentType?.toLowerCase().startsWith('text/html') === true
    return finish(draft, status, upstreamTarget, rules, isDocument ? [...ours, ...ofDocuments] : ours)
  }
}

function judge(
  draft: HeadDraft,
  action: Exclude<Action, 'pass' | 'drop'>,
  name: string,
  value: string,
  rules: ResponseHeaderRules,
): void {
  switch (action) {
    case 'connection':
      draft.connection = joined(draft.connection, value)
      return
    case 'storage':
      draft.cacheControl = joined(draft.cacheControl, value)
      return
    case 'vary':
      draft.vary = joined(draft.vary, value)
      return
    case 'location':
      draft.location ??= value
      return
    case 'buffering':
      draft.buffering = value
      return
    case 'setCookie':
      if (rules.cookies.maySet(value)) draft.headers.push(name, value)
      return
    case 'challenge':
      pushIfAny(draft.headers, name, withoutPrompts(value))
      return
    default:
      note(draft, action, value)
      draft.headers.push(name, value)
  }
}

/** Headers that pass as they are, but say something about the answer. */
function note(
  draft: HeadDraft,
  action: 'length' | 'type' | 'validator' | 'expires' | 'policy',
  value: string,
): void {
  if (action === 'length') draft.contentLength = Number(value)
  else if (action === 'type') draft.contentType = joined(draft.contentType, value)
  else if (action === 'validator') draft.hasValidator = true
  else if (action === 'expires') draft.hasExpires = true
  else draft.hasPolicy ||= value.trim() !== ''
}

function joined(earlier: string | undefined, value: string): string {
  return earlier === undefined ? value : `${earlier}, ${value}`
}

function pushIfAny(headers: string[], name: string, value: string | undefined): void {
  if (value !== undefined) headers.push(name, value)
}

function finish(
  draft: HeadDraft,
  status: number,
  upstreamTarget: string,
  rules: ResponseHeaderRules,
  ours: readonly string[],
): ResponseHead {
  const listed = unsent(draft, status)
  const headers = listed === undefined ? draft.headers : withoutListed(draft.headers, listed)
  const isEventStream = draft.contentType?.toLowerCase().startsWith('text/event-stream') === true
  const hasPolicy = draft.hasPolicy && listed?.has('content-security-policy') !== true
  pushCaching(headers, draft, status, rules.guarded)
  const location =
    draft.location === undefined ? undefined : rules.mapLocation(draft.location, upstreamTarget)
  pushIfAny(headers, 'location', location)
  if (!rules.activeContent && !hasPolicy && isActiveContent(draft.contentType ?? '')) {
    headers.push('content-security-policy', sandboxPolicy)
  }
  for (const item of ours) headers.push(item)
  // Proxies in front of us collect answers by default; an event must not wait for the next one.
  pushIfAny(headers, 'x-accel-buffering', isEventStream ? 'no' : draft.buffering)
  const isRedirect = status >= 300 && status < 400
  const redirectRefused = isRedirect && draft.location !== undefined && location === undefined
  return { headers, contentLength: draft.contentLength, isEventStream, redirectRefused }
}

/** What does not go on: the names that `Connection` lists, and the length of a 204, which must not have one (RFC 9110 section 8.6). */
function unsent(draft: HeadDraft, status: number): ReadonlySet<string> | undefined {
  const listed = connectionListed(draft.connection)
  if (status !== 204 || draft.contentLength === -1) return listed
  return new Set(listed).add('content-length')
}

function pushCaching(headers: string[], draft: HeadDraft, status: number, guarded: boolean): void {
  if (!guarded) {
    pushIfAny(headers, 'cache-control', draft.cacheControl)
    pushIfAny(headers, 'vary', draft.vary)
    return
  }
  const hasValidator = draft.hasValidator || status === 304
  const { cacheControl, hasExpires } = draft
  headers.push('cache-control', privateCacheControl({ cacheControl, hasValidator, hasExpires }))
  headers.push('vary', varyByCookie(draft.vary))
}
