import type { FastifyInstance } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { HttpContext } from './http-context.ts'
import type { GatewayPaths } from './paths.ts'

/** What each of our own addresses answers. */
function allowedMethods(
  paths: GatewayPaths,
  takesForms: boolean,
): readonly (readonly [string, readonly string[]])[] {
  const page = ['GET', 'HEAD']
  return [
    [paths.login, ['GET', 'HEAD', 'POST']],
    [paths.callback, takesForms ? ['GET', 'POST'] : ['GET']],
    [paths.session, page],
    [paths.sessionRefresh, ['POST']],
    [paths.sessions, ['GET', 'HEAD', 'DELETE']],
    [`${paths.sessions}/:id`, ['DELETE']],
    [paths.logout, ['GET', 'HEAD', 'POST']],
    [paths.logoutCallback, page],
    [paths.backchannelLogout, ['POST']],
    [paths.frontchannelLogout, ['GET']],
    [paths.client, page],
    [paths.clientKeys, page],
    [paths.livez, page],
    [paths.readyz, page],
  ]
}

/**
 * Answers every other method at our own addresses with 405 and `Allow` (RFC 9110 section 15.5.6). Without it a GET of an address that
 * takes POST only would be answered with the app's start page.
 */
export function registerMethodGuards(
  app: FastifyInstance,
  { paths, options }: Pick<HttpContext, 'paths' | 'options'>,
): void {
  for (const [url, allowed] of allowedMethods(paths, options.responseMode === 'form_post')) {
    refuseOtherMethods(app, url, allowed)
  }
}

/** The same for one address. */
export function refuseOtherMethods(app: FastifyInstance, url: string, allowed: readonly string[]): void {
  app.route({
    method: app.supportedMethods.filter((method) => !allowed.includes(method)),
    url,
    onRequest: (_request, _reply, done) => {
      done(new GatewayError('method_not_allowed', { headers: { allow: allowed.join(', ') } }))
    },
    handler: () => undefined,
  })
}
