import type { Logger } from '../telemetry/telemetry.ts'

/** Says once that something has stopped to answer, and once that it answers again. */
export interface OutageLog {
  /** @param host where it was asked; never a path or query */
  failed(endpoint: string, host: string, reason: string): void
  answered(endpoint: string): void
}

/** Creates it. Endpoints fail and recover each by itself. */
export function createOutageLog(log: Pick<Logger, 'warn' | 'info'>, now: () => number): OutageLog {
  const since = new Map<string, number>()
  return {
    failed(endpoint, host, reason) {
      if (since.has(endpoint)) return
      since.set(endpoint, now())
      log.warn(
        { endpoint, host, reason },
        'the identity provider does not answer; this is said once, coatcheck doctor says more',
      )
    },
    answered(endpoint) {
      const failedAtMs = since.get(endpoint)
      if (failedAtMs === undefined) return
      since.delete(endpoint)
      const seconds = Math.round((now() - failedAtMs) / 1_000)
      log.info({ endpoint, seconds }, 'the identity provider answers again')
    },
  }
}
