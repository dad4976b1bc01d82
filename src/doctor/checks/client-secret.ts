import type { Check, DoctorContext } from '../check.ts'
import { type Finding, fail, pass, SkipCheck, warn } from '../finding.ts'
import { quoted } from '../plain-text.ts'
import type { TokenAnswer } from '../provider/token-probe.ts'

/** The token endpoint accepts the client's proof: it is handed a code that was never issued, and should refuse only that. */
export const clientSecretCheck: Check = {
  id: 'client-secret',
  async examine(context) {
    const asked = await context.authorization()
    if (asked.kind === 'refused_page' && asked.about === 'client')
      throw new SkipCheck('The provider does not know the client.')
    return describe(await context.credentials(), context)
  },
}

function describe(answer: TokenAnswer, { config, hints }: DoctorContext): Finding {
  const proof = proofOf(config)
  switch (answer.kind) {
    case 'client_accepted':
      return pass(`The token endpoint accepts ${proof} by ${config.clientAuthentication}.`)
    case 'client_refused':
      return fail(
        `The token endpoint refuses CLIENT_ID with ${proof} (${quoted(answer.error)}).`,
        `Correct ${proof}; it was sent by CLIENT_AUTHENTICATION=${config.clientAuthentication}. ${hints.client}`,
      )
    case 'unreachable':
      return fail(
        `The token endpoint does not answer (${quoted(answer.error)}).`,
        'See whether the token_endpoint of the discovery document can be reached from this machine.',
      )
    case 'unclear':
      return warn(
        `The token endpoint says ${quoted(answer.error)} to a made-up code: whether it accepts ${proof} cannot be seen.`,
        `Try a login with coatcheck doctor --login. ${hints.client}`,
      )
  }
}

type Proofs = DoctorContext['config']

/** The setting that holds what the client shows. */
function proofOf({
  clientAuthentication: method,
  clientKey,
  clientAssertionFile,
  clientCertificate,
}: Proofs): string {
  if (method.startsWith('client_secret')) return 'CLIENT_SECRET'
  if (method === 'private_key_jwt') return 'CLIENT_KEY'
  if (method === 'assertion') return 'CLIENT_ASSERTION_FILE'
  if (method.endsWith('tls_client_auth')) return 'CLIENT_CERTIFICATE'
  if (method === 'none') return 'no secret'
  if (clientKey !== undefined) return 'CLIENT_KEY'
  if (clientAssertionFile !== undefined) return 'CLIENT_ASSERTION_FILE'
  return clientCertificate === undefined ? 'CLIENT_SECRET' : 'CLIENT_CERTIFICATE'
}
