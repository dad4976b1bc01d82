import type { FastifyInstance } from 'fastify'
import { openSessionOf } from '../../session/lifecycle/fastify-store.ts'
import { forbidStoring } from '../answers/no-store.ts'
import { readsSession, registerSessionPlugin } from '../cookies/session-plugin.ts'
import { createCsrfGuard } from '../guards/csrf-guard.ts'
import { expectSmallBody } from '../lifetime/body.ts'
import { installLogoutLimits, installSessionLimits } from '../limits/session-limits.ts'
import { createLogout, createLogoutGuard } from '../logout/logout-form.ts'
import type { HttpContext } from '../server/http-context.ts'
import { createSessionAnswer, createSessionRefresh } from './session-routes.ts'
import { createAllSessionsEnding, createSessionEnding, createSessionList } from './sessions-routes.ts'

/** The only body that matters here is a logout form with one field, bytes. */
const maxBodyBytes = 4_096

/** The endpoints that scripts and forms of the app call: the guard first, then @fastify/session (DESIGN section 3.4). */
export function registerFetchScope(app: FastifyInstance, context: HttpContext): void {
  const guard = createCsrfGuard(context.csrfPolicy)
  app.register(async function fetchScope(scope) {
    readBodiesAsBytes(scope)
    scope.addHook('onRequest', forbidStoring)
    scope.addHook('onRequest', guard)
    installSessionLimits(scope, context)
    await registerSessionPlugin(scope, context)
    installDeviceCheck(scope, context)
    registerSessionRoutes(scope, context)
  })
  app.register(async function logoutScope(scope) {
    readBodiesAsBytes(scope)
    scope.decorateRequest('awaitsLogoutProof', false)
    scope.addHook('onRequest', forbidStoring)
    scope.addHook('onRequest', createLogoutGuard(context))
    installLogoutLimits(scope, context)
    await registerSessionPlugin(scope, context)
    const config = { readsSession: (request: { awaitsLogoutProof: boolean }) => !request.awaitsLogoutProof }
    scope.post(context.paths.logout, { config }, createLogout(context))
  })
}

/** `GET /session` alone tells everybody who has the long cookie what there is to tell: a browser comes there to prove its device. */
function installDeviceCheck(scope: FastifyInstance, { device, paths }: HttpContext): void {
  if (device === undefined) return
  scope.addHook('preHandler', function checkDevice(request, _reply, done): void {
    const session = openSessionOf(request.session)
    if (session !== undefined) {
      const { guard } = device
      const look = request.routeOptions.url === paths.session ? guard.notice : guard.check
      look(session.id, session.view, request.headers)
    }
    done()
  })
}

function registerSessionRoutes(scope: FastifyInstance, context: HttpContext): void {
  const { paths } = context
  const config = readsSession
  scope.route({ method: ['GET', 'HEAD'], url: paths.session, config, handler: createSessionAnswer(context) })
  scope.post(paths.sessionRefresh, { config }, createSessionRefresh(context))
  scope.route({ method: ['GET', 'HEAD'], url: paths.sessions, config, handler: createSessionList(context) })
  scope.delete(paths.sessions, { config }, createAllSessionsEnding(context))
  scope.delete(`${paths.sessions}/:id`, { config }, createSessionEnding(context))
}

/** No endpoint here has a body of a required type, so every type is read and none is refused. */
function readBodiesAsBytes(scope: FastifyInstance): void {
  scope.addHook('preParsing', expectSmallBody)
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBodyBytes }, (_request, body, done) =>
    done(null, body),
  )
}
