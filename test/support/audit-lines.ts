import { auditEvents } from '../../src/telemetry/audit-events.ts'
import type { GatewayProcess } from './gateway/gateway-process.ts'

/** What every log line has; `frontend` where several share the process. */
const lineFields = ['level', 'time', 'audit', 'msg', 'frontend']

/** Audit lines of a log that are not as the documented table says. */
export function strangeAuditLines(gateway: Pick<GatewayProcess, 'log'>): readonly string[] {
  return gateway.log().flatMap((line) => {
    if (!('audit' in line)) return []
    const event = Object.entries(auditEvents).find(([name]) => name === line.audit)?.[1]
    const documented: readonly string[] = [...lineFields, ...(event?.fields ?? [])]
    const strange = Object.keys(line).filter((field) => !documented.includes(field))
    const level = event !== undefined && 'isRefusal' in event ? 'warn' : 'info'
    const isAsDocumented = event !== undefined && strange.length === 0 && line.level === level
    return isAsDocumented ? [] : [`${String(line.audit)} (${String(line.level)}): ${strange.join(', ')}`]
  })
}
