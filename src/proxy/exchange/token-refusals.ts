import { withoutSecrets } from '../../oidc/provider/failures/echoes.ts'
import { plainValue } from '../../oidc/provider/failures/refusal.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import type { BearerChallenge } from '../headers/challenges.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'

/** Tells the operator when an API refuses tokens that cannot be too old: the classic of a first day, which users see as a page without data. */
export interface TokenRefusals {
  /** An API has answered 401 to this token, and does not ask for another login. */
  note(challenge: BearerChallenge | undefined, token: AccessToken): void
}

/** An API that rejects a token younger than this rejects it for another reason than its age, milliseconds. */
const youngMs = 30_000
/** It is said again when it is still so after this, milliseconds. */
const sayAgainMs = 3_600_000

/** What is said. */
export interface TokenRefusalsDependencies {
  readonly log: Pick<Logger, 'warn'>
  readonly route: Pick<ProxyRoute, 'config' | 'audience' | 'api' | 'loginAudience'>
  readonly issuerUrl: string
  readonly now: () => number
}

/** Creates it for one route. */
export function createTokenRefusals({
  log,
  route,
  issuerUrl,
  now,
}: TokenRefusalsDependencies): TokenRefusals {
  let saidAtMs = Number.NEGATIVE_INFINITY
  return {
    note(challenge, token) {
      const { proofUrl, upstream } = route.config
      const aboutProof = proofRemedy(challenge, proofUrl ?? upstream)
      // A token gets old; a proof is always made just now.
      if (aboutProof === undefined && now() - token.obtainedAtMs >= youngMs) return
      if (now() - saidAtMs < sayAgainMs) return
      saidAtMs = now()
      log.warn(
        {
          route: route.config.prefix,
          status: 401,
          ...apiWords(challenge, token),
          remedy: aboutProof ?? remedyFor(route, issuerUrl),
        },
        aboutProof === undefined
          ? 'the API refuses a fresh access token'
          : 'the API refuses the proof of a token',
      )
    },
  }
}

/**
 * What helps where an API refuses the proof of possession (RFC 9449 section 12.2), not the token; `undefined` where it does not say that.
 *
 * @param named the address that proofs name, without the rest of the path
 */
export function proofRemedy(challenge: BearerChallenge | undefined, named: URL): string | undefined {
  if (challenge?.error !== 'invalid_dpop_proof') return undefined
  return `Proofs name the API's address as ${named.href}: set proofUrl of the route where it knows itself by another, compare its clock with ours, and let it take ES256.`
}

/** What the API says, without the token that it was sent. */
function apiWords(
  { error, description }: Partial<BearerChallenge> = {},
  { value }: Pick<AccessToken, 'value'>,
): Readonly<Record<string, string>> {
  const word = (untrusted: string) => plainValue(withoutSecrets(untrusted, [value]))
  return {
    ...(error === undefined ? {} : { apiError: word(error) }),
    ...(description === undefined ? {} : { apiErrorDescription: word(description) }),
  }
}

function remedyFor(
  { api, audience, loginAudience }: TokenRefusalsDependencies['route'],
  issuerUrl: string,
): string {
  const { accepted } = api ?? audience ?? loginAudience
  const named = accepted.length === 0 ? 'the audience of its tokens' : `the audience ${accepted.join(' or ')}`
  return `Let the API expect the issuer ${issuerUrl} (ISSUER_URL) and ${named} (API_AUDIENCE, or audience of the route), and compare its clock; coatcheck doctor --login tries it.`
}
