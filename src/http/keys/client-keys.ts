import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { expectSmallBody } from '../lifetime/body.ts'
import type { HttpContext } from '../server/http-context.ts'

/** As long as a provider may keep the keys: a new one stands here at least this long before it signs. */
const cacheControl = 'public, max-age=300'

/**
 * `GET /client-keys`: the public halves of the client's keys, as a JWK Set (RFC 7517 section 5), for a provider that is told a `jwks_uri`.
 * Public: a key set proves nothing and tells nothing of anybody.
 */
export function registerClientKeys(
  app: FastifyInstance,
  { paths, provider }: Pick<HttpContext, 'paths' | 'provider'>,
): void {
  function answer(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const keys = provider.clientKeys()
    if (keys.length === 0) throw new GatewayError('not_found')
    return reply
      .header('cache-control', cacheControl)
      .type('application/jwk-set+json')
      .send(JSON.stringify({ keys }))
  }
  app.route({ method: ['GET', 'HEAD'], url: paths.clientKeys, preParsing: expectSmallBody, handler: answer })
}
