import { randomText } from '../../basics/random-text.ts'

const traceparentPattern = /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})$/

const traceIdBytes = 16
const parentIdBytes = 8

/** What a `traceparent` says (W3C Trace Context section 3.2). */
export interface TraceParent {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
}

/** Whether a client's trace context can be joined (W3C Trace Context section 3.2). */
export function isTraceparent(untrustedValue: string): boolean {
  return traceparentPattern.test(untrustedValue)
}

/** Reads a `traceparent`; `undefined` when it cannot be joined. */
export function parseTraceparent(untrustedValue: string): TraceParent | undefined {
  const match = traceparentPattern.exec(untrustedValue)
  if (match === null) return undefined
  const [, traceId = '', spanId = '', flags = ''] = match
  // Of the flags only "sampled" is defined in the version that is written on.
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1 }
}

/** Writes a `traceparent` of version 00. */
export function formatTraceparent({ traceId, spanId, traceFlags }: TraceParent): string {
  return `00-${traceId}-${spanId}-0${traceFlags & 1}`
}

/**
 * Begins a trace. The sampled flag is set because the gateway decides nothing here: without it, parent-based samplers of the
 * upstream would record no trace at all.
 */
export function newTraceparent(): string {
  return `00-${randomText(traceIdBytes, 'hex')}-${randomText(parentIdBytes, 'hex')}-01`
}
