import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Provider } from '../oidc/provider.ts'
import type { SessionStore } from '../session/store.ts'
import type { GatewayPaths } from './paths.ts'
import { readQuery } from './query.ts'

/** What the health endpoints look at. */
export interface HealthContext {
  readonly paths: Pick<GatewayPaths, 'livez' | 'readyz'>
  readonly provider: Pick<Provider, 'status'>
  readonly store: Pick<SessionStore, 'status' | 'ping'>
  /** Whether the process is shutting down. */
  isDraining(): boolean
}

/** State of one thing that readiness depends on; `reason` names no host. */
export interface Check {
  readonly ready: boolean
  readonly reason?: string
  readonly note?: string
}

/** Probes are small; anything else is not one. */
const maxQueryBytes = 256

/**
 * Registers `GET /livez` (the process answers) and `GET /readyz` (discovery has succeeded and the store answers), on whichever listener
 * `app` is. `/readyz?for=traffic` forgives a store outage once the store has answered, so that a balancer does not take every node out at
 * once over something that all of them share.
 */
export function registerHealthRoutes(app: FastifyInstance, context: HealthContext): void {
  let hasStoreAnswered = false
  async function answerReadiness(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const untrusted = readQuery(request.raw.url ?? '', { names: ['for'], maxBytes: maxQueryBytes })
    const store = await checkStore(context.store)
    hasStoreAnswered ||= store.ready
    const isForgiven = untrusted.get('for') === 'traffic' && hasStoreAnswered
    const checks = { process: checkProcess(context), provider: checkProvider(context), store }
    const ready = checks.process.ready && checks.provider.ready && (store.ready || isForgiven)
    return reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ ready, checks })
  }
  app.route({ method: ['GET', 'HEAD'], url: context.paths.livez, handler: answerLiveness })
  app.route({ method: ['GET', 'HEAD'], url: context.paths.readyz, handler: answerReadiness })
}

function answerLiveness(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store').send({ live: true })
}

function checkProcess(context: Pick<HealthContext, 'isDraining'>): Check {
  return context.isDraining() ? { ready: false, reason: 'shutting down' } : { ready: true }
}

function checkProvider(context: Pick<HealthContext, 'provider'>): Check {
  const { ready, reason } = context.provider.status()
  return { ready, ...(reason === undefined || ready ? {} : { reason }) }
}

async function checkStore(store: HealthContext['store']): Promise<Check> {
  const answers = await store.ping().then(
    () => true,
    () => false,
  )
  const { ready, reason, note } = store.status()
  const remark = note === undefined ? {} : { note }
  if (answers && ready) return { ready: true, ...remark }
  return { ready: false, reason: reason ?? 'the session store does not answer', ...remark }
}
