import type { IncomingMessage } from 'node:http'
import { healthEndpoints } from '../config/endpoints.ts'
import { GatewayError } from '../errors/gateway-error.ts'
import type { PlainAnswer } from '../http/answers/plain.ts'
import type { CheckReadiness } from '../http/health/readiness.ts'
import { queryOf } from '../http/server/query.ts'

/** Whether a target is one of the probes, which belong to the process and answer whatever `Host` says. */
export function isProbe(target: string): boolean {
  return healthEndpoints.some((path) => target === path || target.startsWith(`${path}?`))
}

/**
 * Answers a probe.
 *
 * @throws GatewayError `method_not_allowed`
 */
export async function answerProbe(
  { method, url = '' }: IncomingMessage,
  checkReadiness: CheckReadiness,
): Promise<PlainAnswer> {
  if (method !== 'GET' && method !== 'HEAD') {
    throw new GatewayError('method_not_allowed', { headers: { allow: 'GET, HEAD' } })
  }
  if (url.startsWith('/livez')) return json(200, { live: true })
  const forTraffic = new URLSearchParams(queryOf(url)).get('for') === 'traffic'
  const readiness = await checkReadiness(forTraffic)
  return json(readiness.ready ? 200 : 503, readiness)
}

function json(status: number, body: unknown): PlainAnswer {
  return { status, type: 'application/json; charset=utf-8', body: JSON.stringify(body) }
}
