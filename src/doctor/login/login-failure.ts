import { GatewayError } from '../../errors/gateway-error.ts'
import { factsIn, type RefusalFacts } from '../../oidc/provider/failures/refusal.ts'
import type { ProviderHints } from '../../oidc/provider/profiles/hints.ts'
import type { DoctorContext } from '../check.ts'
import { type Finding, fail } from '../finding.ts'
import { quoted } from '../plain-text.ts'
import { demandIn } from '../provider/demand.ts'
import { said } from '../provider/said.ts'

/** Why a login that was begun has failed, in the words of an operator. */
export function describeLoginFailure(
  error: unknown,
  { hints, config }: Pick<DoctorContext, 'config' | 'hints'>,
): Finding {
  if (!(error instanceof GatewayError)) throw error
  const { reason, remedy } = error.context
  const facts = factsIn(error.context)
  const words = said(facts, reason ?? error.code)
  const demand = facts.providerError === undefined ? undefined : demandIn(words, config)
  if (demand !== undefined) return fail(`The provider demands ${demand.what}: it says ${words}.`, demand.fix)
  switch (error.code) {
    case 'login_denied':
      return fail(
        `The provider denied the login: ${words}.`,
        typeof remedy === 'string'
          ? remedy
          : "Look for the login in the provider's log; sign in as a user who may use the application.",
      )
    case 'provider_rejected':
      return fail(
        `The token endpoint refuses the client (${words}).`,
        `Compare CLIENT_ID, CLIENT_SECRET and CLIENT_AUTHENTICATION with its registration. ${hints.registration(config)}`,
      )
    case 'provider_unavailable':
      return fail(
        `The provider does not answer (${words}).`,
        'Try again; see whether its endpoints can be reached.',
      )
    default:
      return facts.check === undefined ? unclear(words) : describeCheck(facts, hints)
  }
}

function unclear(words: string): Finding {
  return fail(
    `The login came back, but what came with it fails a check (${words}).`,
    "See the checks of discovery above; then look for the login in the provider's log.",
  )
}

/** What sets a check right, where that can be told. */
const remedies: Readonly<Record<string, string>> = {
  'id_token.alg':
    'Let the provider sign the ID tokens of this client with one of these, never with the client secret (HS256).',
  'id_token.exp': 'Let both clocks be set by NTP, on this machine first.',
  'id_token.iat': 'Let both clocks be set by NTP, on this machine first.',
  'id_token.kid':
    "Let the provider publish the key with which it signs: compare its jwks_uri with ISSUER_URL's.",
  'id_token.signature': 'Let the provider sign with a key that it publishes at its jwks_uri.',
  'id_token.format': 'Let the provider send signed ID tokens to this client, not encrypted ones.',
  'id_token.acr': 'Compare acr_values in AUTHORIZATION_PARAMETERS and CLAIMS with what the provider can do.',
  'id_token.auth_time': 'Let the provider put auth_time into its ID tokens, or leave out max_age.',
  'token.cnf':
    'Let the provider bind the tokens of this client to its key or certificate as TOKEN_BINDING says, or set TOKEN_BINDING=none.',
  'token.type': 'Compare TOKEN_BINDING with the kind of tokens that the provider issues to this client.',
}

function describeCheck({ check = '', expected, received }: RefusalFacts, hints: ProviderHints): Finding {
  const compared = [
    ...(expected === undefined ? [] : [`expected ${quoted(expected)}`]),
    ...(received === undefined ? [] : [`received ${quoted(received)}`]),
  ].join(', ')
  return fail(
    `The login came back, but what came with it fails the check ${check}${compared === '' ? '' : `: ${compared}`}.`,
    remedies[check] ?? `Compare ISSUER_URL and CLIENT_ID with the registration. ${hints.client}`,
  )
}
