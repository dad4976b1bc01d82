import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { expectSmallBody } from '../lifetime/body.ts'
import type { GatewayPaths } from '../server/paths.ts'
import { readQuery } from '../server/query.ts'
import type { CheckReadiness } from './readiness.ts'

/** Probes are small; anything else is not one. */
const maxQueryBytes = 256

/** Registers `GET /livez` (the process answers) and `GET /readyz` (requests should be sent here; `?for=traffic`, see {@link CheckReadiness}). */
export function registerHealthRoutes(
  app: FastifyInstance,
  paths: Pick<GatewayPaths, 'livez' | 'readyz'>,
  checkReadiness: CheckReadiness,
): void {
  async function answerReadiness(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const untrusted = readQuery(request.raw.url ?? '', { names: ['for'], maxBytes: maxQueryBytes })
    const readiness = await checkReadiness(untrusted.get('for') === 'traffic')
    return reply
      .code(readiness.ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(readiness)
  }
  const common = { method: ['GET', 'HEAD'], preParsing: expectSmallBody }
  app.route({ ...common, url: paths.livez, handler: answerLiveness })
  app.route({ ...common, url: paths.readyz, handler: answerReadiness })
}

function answerLiveness(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store').send({ live: true })
}
