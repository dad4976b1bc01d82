import formbody from '@fastify/formbody'
import type { FastifyInstance } from 'fastify'
import { expectSmallBody } from '../lifetime/body.ts'
import type { HttpContext } from '../server/http-context.ts'
import { createBackchannelLogout } from './backchannel-logout.ts'
import { createFrontchannelLogout } from './frontchannel-logout.ts'

/** A logout token is a few hundred bytes; with many claims and a long key a few thousand. */
const maxBodyBytes = 16 * 1_024

/** The endpoints that the provider calls: forms and queries only, no cookie is ever read (DESIGN section 3.4). */
export function registerProviderScope(app: FastifyInstance, context: HttpContext): void {
  app.register(async function providerScope(scope) {
    scope.addHook('preParsing', expectSmallBody)
    scope.removeAllContentTypeParsers()
    await scope.register(formbody, { bodyLimit: maxBodyBytes })
    const backchannel = createBackchannelLogout(context)
    scope.post(context.paths.backchannelLogout, { errorHandler: backchannel.answerError }, backchannel.logout)
    scope.get(context.paths.frontchannelLogout, createFrontchannelLogout(context))
  })
}
