import type { FastifyBaseLogger } from 'fastify'
import { type AuditEventName, type AuditFieldName, auditEvents } from './audit-events.ts'

/** Fields as they are written. */
export type AuditFields = {
  readonly [Name in AuditFieldName]?:
    | (Name extends 'count' ? number : Name extends 'revoked' ? boolean : string)
    | undefined
}

/** The fields of one event. */
export type FieldsOf<Name extends AuditEventName> = Pick<
  AuditFields,
  (typeof auditEvents)[Name]['fields'][number]
>

/** Writes audit events: one line each. */
export interface Audit {
  event<Name extends AuditEventName>(name: Name, fields: FieldsOf<Name>): void
}

/**
 * Writes audit events to a logger: one line each with `audit: <name>`, whatever the log level, unless it is `silent`. Refusals are
 * warnings.
 *
 * @param log the logger that carries the lines
 */
export function createAudit(log: FastifyBaseLogger): Audit {
  const lines = log.level === 'silent' ? log : log.child({}, { level: 'info' })
  return {
    event(name, fields) {
      const line: Record<string, unknown> = { audit: name, ...fields }
      if ('isRefusal' in auditEvents[name]) lines.warn(line, name)
      else lines.info(line, name)
    },
  }
}
