import type { Logger } from './telemetry.ts'

/** The names of audit events: a stable, documented schema (`docs/operations.md`). */
export type AuditEventName =
  | 'login.started'
  | 'login.completed'
  | 'login.refused'
  | 'session.refreshed'
  | 'session.refresh_failed'
  | 'session.ended'
  | 'logout.completed'
  | 'logout.backchannel'
  | 'logout.frontchannel'
  | 'request.refused'

/** Fields of an audit event. References are truncated HMACs; nothing here can be used to act as anybody. */
export interface AuditFields {
  readonly requestId?: string
  readonly sessionRef?: string
  readonly userRef?: string
  readonly outcome?: string
  readonly code?: string
  readonly reason?: string
  readonly count?: number
}

/** Writes audit events: one line each. */
export interface Audit {
  event(name: AuditEventName, fields: AuditFields): void
}

const refusals: ReadonlySet<AuditEventName> = new Set([
  'login.refused',
  'session.refresh_failed',
  'request.refused',
])

/**
 * Writes audit events to a logger: one line each with `audit: <name>`, whatever the log level, unless it is `silent`. Refusals are
 * warnings.
 *
 * @param log the logger that carries the lines
 */
export function createAudit(log: Logger): Audit {
  const lines = log.level === 'silent' ? log : log.child({}, { level: 'info' })
  return {
    event(name, fields) {
      const line = { audit: name, ...fields }
      if (refusals.has(name)) lines.warn(line, name)
      else lines.info(line, name)
    },
  }
}
