import type { FastifyInstance } from 'fastify'
import { forbidStoring } from '../answers/no-store.ts'
import { registerSessionPlugin } from '../cookies/session-plugin.ts'
import { expectSmallBody } from '../lifetime/expectations.ts'
import { installLogoutLimits } from '../limits/session-limits.ts'
import { createLogoutCallback, createLogoutNavigation, isActingLogout } from '../logout/logout-pages.ts'
import type { HttpContext } from '../server/http-context.ts'
import { createCallback } from './callback.ts'
import { createLogin } from './login.ts'

/**
 * The endpoints that a browser navigates to. @fastify/session sees a cookie only where a logout acts: `/login` needs no more than its hash,
 * and `/callback` must not take a former session away before the new one is there.
 */
export function registerNavigationScope(app: FastifyInstance, context: HttpContext): void {
  const { paths } = context
  app.register(async function navigationScope(scope) {
    scope.addHook('onRequest', forbidStoring)
    scope.addHook('preParsing', expectSmallBody)
    installLogoutLimits(scope, context)
    await registerSessionPlugin(scope, context)
    scope.route({ method: ['GET', 'HEAD'], url: paths.login, handler: createLogin(context) })
    scope.get(paths.callback, createCallback(context))
    scope.route({
      method: ['GET', 'HEAD'],
      url: paths.logout,
      config: { readsSession: isActingLogout },
      handler: createLogoutNavigation(context),
    })
    scope.route({
      method: ['GET', 'HEAD'],
      url: paths.logoutCallback,
      handler: createLogoutCallback(context),
    })
  })
}
