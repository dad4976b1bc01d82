import { randomText } from '../http/random-text.ts'

const traceparentPattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

const traceIdBytes = 16
const parentIdBytes = 8

/** Whether a client's trace context can be joined (W3C Trace Context section 3.2). */
export function isTraceparent(untrustedValue: string): boolean {
  return traceparentPattern.test(untrustedValue)
}

/**
 * Begins a trace. The sampled flag is set because the gateway decides nothing here: without it, parent-based samplers of the
 * upstream would record no trace at all.
 */
export function newTraceparent(): string {
  return `00-${randomText(traceIdBytes, 'hex')}-${randomText(parentIdBytes, 'hex')}-01`
}
