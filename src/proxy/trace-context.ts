import { randomUUID } from 'node:crypto'

const traceparentPattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** Whether a client's trace context can be joined (W3C Trace Context section 3.2). */
export function isTraceparent(untrustedValue: string): boolean {
  return traceparentPattern.test(untrustedValue)
}

/**
 * Begins a trace. The sampled flag is set because the gateway decides nothing here: without it, parent-based samplers of the
 * upstream would record no trace at all. UUIDs, because Node makes them from a buffer of random bytes.
 */
export function newTraceparent(): string {
  const traceId = randomUUID().replaceAll('-', '')
  const parentId = randomUUID().slice(19).replace('-', '')
  return `00-${traceId}-${parentId}-01`
}
