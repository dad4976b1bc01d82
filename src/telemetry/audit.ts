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

/** Writes audit events: one line each, always, whatever the log level. */
export interface Audit {
  event(name: AuditEventName, fields: AuditFields): void
}
