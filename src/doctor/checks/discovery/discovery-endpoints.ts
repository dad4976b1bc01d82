import { endpointOf } from '../../../oidc/provider/endpoints.ts'
import type { Check, DoctorContext } from '../../check.ts'
import { fail, pass, SkipCheck } from '../../finding.ts'
import { textOf } from '../../provider/discovery.ts'

const needed = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const

/** The endpoints that a login needs are announced, and as safe as the issuer. */
export const discoveryEndpointsCheck: Check = {
  id: 'discovery.endpoints',
  async examine(context) {
    const document = await context.metadata()
    const missing = needed.filter(
      (name) => endpointOf(document, name, context.config.issuerUrl) === undefined,
    )
    if (missing.length > 0)
      return fail(`The provider announces no ${missing.join(', no ')} with https.`, context.hints.issuer)
    const refusal = await refusalOfGateway(context)
    return refusal === undefined || textOf(document, 'issuer') !== context.config.issuerUrl
      ? pass('Authorization, token and key endpoints are announced.')
      : fail(refusal, context.hints.issuer)
  },
}

/** Whatever else the gateway finds wrong with the document keeps it from starting a login. */
async function refusalOfGateway({ provider }: DoctorContext): Promise<string | undefined> {
  try {
    await provider()
    return undefined
  } catch (error) {
    if (error instanceof SkipCheck) return error.message
    throw error
  }
}
