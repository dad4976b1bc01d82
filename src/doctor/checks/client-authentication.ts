import { noAssertion } from '../../oidc/client-authentication/assertion-authentication.ts'
import type { Check, DoctorContext } from '../check.ts'
import { type Finding, fail, pass, SkipCheck, warn } from '../finding.ts'
import { demandIn } from '../provider/demand.ts'
import { listOf } from '../provider/discovery.ts'
import { said } from '../provider/said.ts'
import type { TokenAnswer } from '../provider/token-probe.ts'

/** The token endpoint accepts the client secret: it is handed a code that was never issued, and should refuse only that. */
export const clientSecretCheck: Check = {
  id: 'client-secret',
  examine: async (context) => (proofOf(context.config) === 'CLIENT_SECRET' ? examineProof(context) : []),
}

/** The same for a client that proves itself another way: by a key, a certificate, an assertion, or not at all. */
export const clientAuthenticationCheck: Check = {
  id: 'client-authentication',
  examine: async (context) => (proofOf(context.config) === 'CLIENT_SECRET' ? [] : examineProof(context)),
}

async function examineProof(context: DoctorContext): Promise<Finding> {
  if (await isUnknownClient(context)) throw new SkipCheck('The provider does not know the client.')
  const answer = await context.credentials()
  const found = await describe(answer, context)
  return found.status === 'pass' ? ((await describeCare(context)) ?? found) : found
}

async function isUnknownClient(context: DoctorContext): Promise<boolean> {
  try {
    const asked = await context.authorization()
    return asked.kind === 'refused_page' && asked.about === 'client'
  } catch (error) {
    // Not to be seen from here: the token endpoint is another place.
    if (error instanceof SkipCheck) return false
    throw error
  }
}

async function describe(answer: TokenAnswer, context: DoctorContext): Promise<Finding> {
  const { config, hints } = context
  const proof = proofOf(config)
  if (answer.kind === 'client_accepted')
    return pass(`The token endpoint accepts ${proof} by ${config.clientAuthentication}.`)
  const words = said(answer.facts, answer.error)
  if (answer.kind === 'unreachable' && answer.error === noAssertion)
    return fail(
      'CLIENT_ASSERTION_FILE cannot be read, or is empty, so nobody could be asked.',
      'Let the platform mount the token there, readable for the gateway, and run doctor where the gateway runs.',
    )
  if (answer.kind === 'unreachable')
    return fail(
      `The token endpoint does not answer (${words}).`,
      'See whether the token_endpoint of the discovery document can be reached from this machine, and answers within PROVIDER_TIMEOUT.',
    )
  const demand = demandIn(words, config)
  if (demand !== undefined)
    return fail(`The token endpoint demands ${demand.what} of this client: it says ${words}.`, demand.fix)
  if (answer.kind === 'unclear')
    return warn(
      `Whether the token endpoint accepts ${proof} could not be told: it says ${words} to a made-up code.`,
      `Try a login with coatcheck doctor --login. ${hints.registration(config)}`,
    )
  return fail(
    `The token endpoint refuses CLIENT_ID with ${proof} (${words}).`,
    (await otherProof(context)) ??
      `Correct ${proof}; it was sent by CLIENT_AUTHENTICATION=${config.clientAuthentication}. ${hints.registration(config)}`,
  )
}

/** A provider that announces no way to show a secret wants something else than another secret. */
async function otherProof(context: DoctorContext): Promise<string | undefined> {
  const announced = listOf(await context.metadata(), 'token_endpoint_auth_methods_supported')
  if (proofOf(context.config) !== 'CLIENT_SECRET' || announced === undefined) return undefined
  if (announced.some((method) => /^client_secret_(?:basic|post)$/.test(method))) return undefined
  return `The provider takes ${announced.join(', ')} and no secret: set CLIENT_KEY_FILE (coatcheck client-key makes one), or CLIENT_CERTIFICATE_FILE, in place of CLIENT_SECRET.`
}

/** A proof that nobody checks is no proof, however well it works. */
async function describeCare(context: DoctorContext): Promise<Finding | undefined> {
  const { config, hints } = context
  if (config.clientAuthentication === 'none') return undefined
  const proof = proofOf(config)
  const care = await context.proofCare()
  if (care === 'checked') return undefined
  if (care === 'unclear')
    return warn(
      `Whether the token endpoint accepts ${proof} could not be told: it says the same to a client that does not exist.`,
      `Try a login with coatcheck doctor --login. ${hints.registration(config)}`,
    )
  const tried = proof === 'CLIENT_SECRET' ? 'a wrong secret' : 'no proof at all'
  return fail(
    `The token endpoint does not check ${proof}: ${tried} did as well, so this is a public client there, and whoever gets hold of a code can redeem it.`,
    `Let the provider authenticate the client; if it cannot, set CLIENT_AUTHENTICATION=none. ${hints.registration(config)}`,
  )
}

/** The setting that holds what the client shows. */
export function proofOf({
  clientAuthentication: method,
  clientKey,
  clientAssertionFile,
  clientCertificate,
}: DoctorContext['config']): string {
  if (method.startsWith('client_secret')) return 'CLIENT_SECRET'
  if (method === 'private_key_jwt') return 'CLIENT_KEY'
  if (method === 'assertion') return 'CLIENT_ASSERTION_FILE'
  if (method.endsWith('tls_client_auth')) return 'CLIENT_CERTIFICATE'
  if (method === 'none') return 'a public client'
  if (clientKey !== undefined) return 'CLIENT_KEY'
  if (clientAssertionFile !== undefined) return 'CLIENT_ASSERTION_FILE'
  return clientCertificate === undefined ? 'CLIENT_SECRET' : 'CLIENT_CERTIFICATE'
}
