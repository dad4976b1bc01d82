import type { CookiePolicy } from '../../http/cookies/cookie-policy.ts'
import { sandboxPolicy, withoutReports } from './active-content.ts'
import { withoutPrompts } from './challenges.ts'
import { type MediaTypeFacts, mediaTypeFacts } from './media-type.ts'

const notModified = 304
const noContent = 204

/** No type at all: what a browser makes of it nobody knows. */
const untyped: MediaTypeFacts = { isInert: false, isEventStream: false, isHtml: false }

/** What one pass over the upstream's headers finds. */
export class AnswerDraft {
  readonly status: number
  readonly cookies: CookiePolicy
  readonly headers: string[] = []
  /** Announced body length in bytes, or -1. */
  contentLength = -1
  connection: string | undefined
  transferCoding: string | undefined
  contentType: string | undefined
  cacheControl: string | undefined
  vary: string | undefined
  location: string | undefined
  contentLocation: string | undefined
  hasValidator: boolean
  hasExpires = false
  policies: readonly string[] = []

  constructor(status: number, cookies: CookiePolicy) {
    this.status = status
    this.cookies = cookies
    this.hasValidator = status === notModified
  }

  /** What the answer's type means, unless it does not go on. */
  typeFacts(listed: ReadonlySet<string> | undefined): MediaTypeFacts {
    if (this.contentType === undefined || listed?.has('content-type') === true) return untyped
    return mediaTypeFacts(this.contentType)
  }

  /**
   * The policies of the answer: the API's own, and ours beside them unless the answer is inert. A 304 brings no document but renews what a
   * browser has stored: a policy in it would take the place of ours there, and ours would lock up a stored PDF.
   */
  policiesFor(type: MediaTypeFacts): readonly string[] {
    const { status, policies } = this
    const theirs = status === notModified ? [] : policies.flatMap((policy) => withoutReports(policy) ?? [])
    const isBare = this.contentType === undefined && (status === notModified || status === noContent)
    return type.isInert || isBare ? theirs : [...theirs, sandboxPolicy]
  }
}

/** Looks at a header's value; what is written again at the end is only noted. */
export type Judge = (draft: AnswerDraft, value: string, name: string) => void

/** The headers whose values are looked at. */
export const judges: Readonly<Record<string, Judge>> = {
  connection: (draft, value) => {
    draft.connection = joined(draft.connection, value)
  },
  'transfer-encoding': (draft, value) => {
    draft.transferCoding = joined(draft.transferCoding, value)
  },
  'content-length': (draft, value) => {
    draft.contentLength = Number(value)
  },
  'content-type': (draft, value, name) => {
    draft.contentType = joined(draft.contentType, value)
    draft.headers.push(name, value)
  },
  'cache-control': (draft, value) => {
    draft.cacheControl = joined(draft.cacheControl, value)
  },
  vary: (draft, value) => {
    draft.vary = joined(draft.vary, value)
  },
  etag: noteValidator,
  'last-modified': noteValidator,
  expires: (draft, value, name) => {
    draft.hasExpires = true
    draft.headers.push(name, value)
  },
  'content-security-policy': (draft, value) => {
    draft.policies = [...draft.policies, value]
  },
  location: (draft, value) => {
    draft.location ??= value
  },
  'content-location': (draft, value) => {
    draft.contentLocation ??= value
  },
  'set-cookie': (draft, value, name) => {
    if (draft.cookies.maySet(value)) draft.headers.push(name, value)
  },
  'www-authenticate': (draft, value, name) => pushIfAny(draft.headers, name, withoutPrompts(value)),
}

function noteValidator(draft: AnswerDraft, value: string, name: string): void {
  draft.hasValidator = true
  draft.headers.push(name, value)
}

function joined(earlier: string | undefined, value: string): string {
  return earlier === undefined ? value : `${earlier}, ${value}`
}

/** Adds a header to a flat list where there is a value for it. */
export function pushIfAny(headers: string[], name: string, value: string | undefined): void {
  if (value !== undefined) headers.push(name, value)
}
