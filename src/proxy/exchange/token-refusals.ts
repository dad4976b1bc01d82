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
      if (now() - token.obtainedAtMs >= youngMs || now() - saidAtMs < sayAgainMs) return
      saidAtMs = now()
      log.warn(
        {
          route: route.config.prefix,
          status: 401,
          ...apiWords(challenge),
          remedy: remedyFor(route, issuerUrl),
        },
        'the API refuses a fresh access token',
      )
    },
  }
}

function apiWords(challenge: BearerChallenge | undefined): Readonly<Record<string, string>> {
  const { error, description } = challenge ?? {}
  return {
    ...(error === undefined ? {} : { apiError: plainValue(error) }),
    ...(description === undefined ? {} : { apiErrorDescription: plainValue(description) }),
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
