import type { ErrorCode } from './codes.ts'

/** What a {@link GatewayError} may carry besides its code. */
export interface GatewayErrorOptions {
  /** One plain sentence or two for the person who sees the answer. Never internal names, hosts, tokens or stacks. */
  readonly detail?: string
  /** Facts for the operator's log line only. Must hold no token, code, cookie, verifier or secret. */
  readonly context?: Readonly<Record<string, unknown>>
  /** Answered instead of the code's own status, to somebody who knows no other. */
  readonly status?: number
  /** Whole seconds after which a repeat makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number
  /** Extra members of the problem document, such as `loginUrl` of a step-up (RFC 9457 section 3.2). */
  readonly extensions?: Readonly<Record<string, string | number | boolean>>
  /** Extra headers of the answer, lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  /** The lower-level error. It is never logged whole: causes of the OpenID library carry tokens. */
  readonly cause?: unknown
}

/** A failure that the gateway understands: it has a stable code, and everything else follows from that code. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: ErrorCode
  readonly detail: string | undefined
  readonly context: Readonly<Record<string, unknown>>
  readonly status: number | undefined
  readonly retryAfterSeconds: number | undefined
  readonly extensions: Readonly<Record<string, string | number | boolean>>
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, options: GatewayErrorOptions = {}) {
    super(code, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.detail = options.detail
    this.context = options.context ?? {}
    this.status = options.status
    this.retryAfterSeconds = options.retryAfterSeconds
    this.extensions = options.extensions ?? {}
    this.headers = options.headers ?? {}
  }
}
