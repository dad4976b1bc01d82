import type { FastifyInstance } from 'fastify'
import { forbidStoring } from '../answers/no-store.ts'
import { registerSessionPlugin } from '../cookies/session-plugin.ts'
import { expectSmallBody } from '../lifetime/body.ts'
import { installLogoutLimits } from '../limits/session-limits.ts'
import { createLogoutCallback, createLogoutNavigation, isActingLogout } from '../logout/logout-pages.ts'
import type { HttpContext } from '../server/http-context.ts'
import { createCallback, queriedAnswer } from './callback.ts'
import { registerFormAnswers } from './form-answer.ts'
import { createLogin } from './login.ts'

/** An issuer, an address and a hint, bytes. */
const maxFormBytes = 16 * 1_024

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
    const login = createLogin(context)
    scope.route({ method: ['GET', 'HEAD'], url: paths.login, handler: login })
    scope.register(async function loginForm(form) {
      form.removeAllContentTypeParsers()
      const options = { parseAs: 'string', bodyLimit: maxFormBytes } as const
      form.addContentTypeParser('application/x-www-form-urlencoded', options, (_request, body, done) =>
        done(null, body),
      )
      form.post(paths.login, login)
    })
    registerCallback(scope, context)
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

function registerCallback(scope: FastifyInstance, context: HttpContext): void {
  const callback = createCallback(context)
  scope.get(context.paths.callback, (request, reply) => callback(request, reply, queriedAnswer(request)))
  if (context.options.responseMode === 'form_post') registerFormAnswers(scope, context, callback)
}
