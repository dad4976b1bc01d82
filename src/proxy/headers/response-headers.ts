import { canonicalHeaderName } from '../../basics/header-name.ts'
import type { ErrorCode } from '../../errors/codes.ts'
import type { HeaderFields } from '../../http/answers/security-headers.ts'
import type { CookiePolicy } from '../../http/cookies/cookie-policy.ts'
import { AnswerDraft, type Judge, judges, pushIfAny } from './answer-draft.ts'
import { privateCacheControl, varyByCookie } from './caching.ts'
import {
  createDropTest,
  droppedFromAnswers,
  droppedFromGuardedAnswers,
  droppedFromSandboxedAnswers,
  namesOf,
} from './dropped-names.ts'
import { connectionListed, createNameTable, withoutListed } from './header-names.ts'
import type { LocationMapper } from './location.ts'

/** What a route says about the headers of its answers. */
export interface ResponseHeaderRules {
  readonly cookies: CookiePolicy
  readonly mapLocation: LocationMapper
  /** Answers belong to one user and are kept from shared caches. */
  readonly guarded: boolean
  readonly activeContent: boolean
  /** The client's own proof passes, so the nonce for the next one is its business. */
  readonly forwardAuthorization: boolean
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
  /** Why the head must not be used: it sends the browser where this route does not allow, or its body is coded. */
  readonly refusal: Extract<ErrorCode, 'upstream_redirect_refused' | 'upstream_unreachable'> | undefined
}

/** Turns the raw header list of an upstream's answer into the head for the browser (DESIGN section 2.3). */
export type ResponseHeaderPolicy = (
  status: number,
  rawHeaders: readonly Buffer[],
  upstreamTarget: string,
) => ResponseHead

const usualNames = [
  ...namesOf(droppedFromAnswers),
  ...Object.keys(judges),
  ...'accept-ranges age allow content-disposition content-encoding content-language content-range'.split(' '),
  ...'date dpop-nonce link pragma retry-after x-request-id'.split(' '),
]

function createClassifier(rules: ResponseHeaderRules): (lowerCaseName: string) => Judge | 'pass' | 'drop' {
  const isDropped = createDropTest([
    ...droppedFromAnswers,
    ...(rules.guarded ? droppedFromGuardedAnswers : []),
    ...(rules.activeContent ? [] : droppedFromSandboxedAnswers),
  ])
  return (lowerCaseName) => {
    const name = canonicalHeaderName(lowerCaseName)
    if (name === 'dpop-nonce' && !rules.forwardAuthorization) return 'drop'
    const judge = Object.hasOwn(judges, name) ? judges[name] : undefined
    // `content_length` and the like: twins of what is judged say nothing to browsers, and go.
    if (judge !== undefined) return name === lowerCaseName ? judge : 'drop'
    return isDropped(name) ? 'drop' : 'pass'
  }
}

/** Builds a route's response policy: one pass, every name decided by a table. */
export function createResponseHeaderPolicy(rules: ResponseHeaderRules): ResponseHeaderPolicy {
  const actionOf = createNameTable(createClassifier(rules), usualNames)
  const ours = Object.entries(rules.transport).flat()
  const documents = [...ours, ...Object.entries(rules.documentHeaders).flat()]
  return (status, rawHeaders, upstreamTarget) => {
    const draft = new AnswerDraft(status, rules.cookies)
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at]?.toString('latin1') ?? ''
      const action = actionOf(name)
      if (action === 'drop') continue
      // One character per byte: what is no ASCII leaves as it came.
      const value = rawHeaders[at + 1]?.toString('latin1') ?? ''
      if (action === 'pass') draft.headers.push(name, value)
      else action(draft, value, name)
    }
    return finish(draft, upstreamTarget, rules, ours, documents)
  }
}

function finish(
  draft: AnswerDraft,
  upstreamTarget: string,
  rules: ResponseHeaderRules,
  ours: readonly string[],
  documents: readonly string[],
): ResponseHead {
  const { status, contentLength } = draft
  const listed = connectionListed(draft.connection)
  const type = draft.typeFacts(listed)
  const headers = listed === undefined ? draft.headers : withoutListed(draft.headers, listed)
  pushCaching(headers, draft, rules.guarded)
  const refusal = pushLocations(headers, draft, upstreamTarget, rules.mapLocation)
  if (listed?.has('content-security-policy') === true) draft.policies = []
  const policies = rules.activeContent ? draft.policies : draft.policiesFor(type)
  for (const policy of policies) headers.push('content-security-policy', policy)
  for (const item of type.isHtml ? documents : ours) headers.push(item)
  // Proxies in front of us collect answers by default; an event must not wait for the next one.
  if (type.isEventStream) headers.push('x-accel-buffering', 'no')
  // Last, because Node re-encodes a content-disposition that comes after it. A 204 must have none (RFC 9110 section 8.6).
  if (contentLength !== -1 && status !== noContent && listed?.has('content-length') !== true) {
    headers.push('content-length', `${contentLength}`)
  }
  return { headers, contentLength, isEventStream: type.isEventStream, refusal }
}

const noContent = 204

/** Where the answer leads, and why it cannot go on. A redirect that leads where the route does not allow is refused; elsewhere such an address is left out. */
function pushLocations(
  headers: string[],
  draft: AnswerDraft,
  upstreamTarget: string,
  mapLocation: LocationMapper,
): ResponseHead['refusal'] {
  // Any other coding would stay on the body, which goes on without this header (RFC 9112 section 6.1).
  if (draft.transferCoding !== undefined && draft.transferCoding.toLowerCase() !== 'chunked')
    return 'upstream_unreachable'
  if (draft.contentLocation !== undefined) {
    pushIfAny(headers, 'content-location', mapLocation(draft.contentLocation, upstreamTarget))
  }
  if (draft.location === undefined) return undefined
  const location = mapLocation(draft.location, upstreamTarget)
  pushIfAny(headers, 'location', location)
  const isRedirect = draft.status >= 300 && draft.status < 400
  return isRedirect && location === undefined ? 'upstream_redirect_refused' : undefined
}

function pushCaching(headers: string[], draft: AnswerDraft, guarded: boolean): void {
  const { cacheControl, hasExpires, hasValidator } = draft
  if (!guarded) {
    pushIfAny(headers, 'cache-control', cacheControl)
    pushIfAny(headers, 'vary', draft.vary)
    return
  }
  headers.push('cache-control', privateCacheControl({ cacheControl, hasValidator, hasExpires }))
  headers.push('vary', varyByCookie(draft.vary))
}
