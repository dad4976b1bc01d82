import { GatewayError } from '../../../errors/gateway-error.ts'
import { factsIn } from '../../../oidc/provider/failures/refusal.ts'
import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass } from '../../finding.ts'
import { demandIn } from '../../provider/demand.ts'
import { textOf } from '../../provider/discovery.ts'
import { said } from '../../provider/said.ts'

/** What the provider says of pushed authorization requests (RFC 9126) fits `PUSHED_AUTHORIZATION_REQUESTS`. */
export const discoveryParCheck: Check = {
  id: 'discovery.par',
  async examine(context) {
    const { pushedAuthorizationRequests: configured } = context.config
    const document = await context.metadata()
    const isRequired = document.require_pushed_authorization_requests === true
    const isOffered = textOf(document, 'pushed_authorization_request_endpoint') !== undefined
    if (isRequired && configured === 'off') {
      return fail(
        'The provider takes only pushed authorization requests (PAR).',
        'Set PUSHED_AUTHORIZATION_REQUESTS=auto, or on.',
      )
    }
    if (!isOffered && (isRequired || configured === 'on')) {
      return fail(
        'The provider announces no endpoint for pushed authorization requests (PAR).',
        'Set PUSHED_AUTHORIZATION_REQUESTS=auto, or turn them on at the provider.',
      )
    }
    if (isRequired || configured === 'on') return tryPush(context)
    return pass(`Pushed authorization requests are ${isOffered ? 'offered, not required' : 'not required'}.`)
  },
}

async function tryPush({ provider, config, hints }: DoctorContext): Promise<Finding> {
  try {
    const pushing = await provider()
    await pushing.beginLogin({ returnTo: '/', parameters: {}, endsSession: undefined })
    return pass('Logins are pushed to the provider first (PAR), and it takes them.')
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const reason = said(factsIn(error.context), error.context.reason ?? error.code)
    const fix = demandIn(reason, config)?.fix ?? hints.registration(config)
    return fail(`The provider refuses a pushed authorization request (${reason}).`, fix)
  }
}
