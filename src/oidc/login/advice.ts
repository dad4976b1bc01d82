import { createFirstTimes } from '../../basics/first-times.ts'
import type { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { factsIn } from '../provider/failures/refusal.ts'
import { type ProviderHints, providerHints } from '../provider/profiles/hints.ts'
import { redirectUri } from './login.ts'

/** Checks that fail when two clocks differ. */
const timeChecks: ReadonlySet<string> = new Set(['id_token.exp', 'id_token.iat', 'id_token.nbf'])

/** Says in the log what the operator can do about a login that failed: what `coatcheck doctor` would say. */
export function adviseOperator(context: ProviderContext, failure: GatewayError): void {
  const { options, client, telemetry, now } = context
  const facts = factsIn(failure.context)
  const hints = providerHints(options.issuerUrl, client.current()?.serverMetadata())
  const { providerErrorDescription = '' } = facts
  if (isAboutRedirectUri(providerErrorDescription)) {
    telemetry.log.error(
      { ...facts, remedy: redirectUriRemedy(context, hints) },
      'the identity provider does not know our callback URL',
    )
  }
  if (failure.code === 'provider_rejected') {
    const remedy = hints.client
    telemetry.log.error(
      { reason: failure.context.reason, ...facts, remedy },
      'the identity provider refuses our client: compare CLIENT_ID, CLIENT_SECRET and CLIENT_AUTHENTICATION with its registration; coatcheck doctor checks them',
    )
  }
  if (facts.check === undefined || !timeChecks.has(facts.check)) return
  const differenceSeconds = Math.round(now() / 1_000 - Number(facts.received))
  if (!Number.isFinite(differenceSeconds)) return
  telemetry.log.error(
    { ...facts, differenceSeconds },
    'the clocks of gateway and identity provider differ: let both be set by NTP',
  )
}

/** Whether the provider complains about our callback URL. No two providers word it alike, but all name the parameter. */
export function isAboutRedirectUri(untrustedDescription: string): boolean {
  return /redirect[ _-]?ur[il]|callback url|\bAADSTS50011\b/i.test(untrustedDescription)
}

/** What is to be done about it. */
export function redirectUriRemedy(
  { options }: Pick<ProviderContext, 'options'>,
  hints: Pick<ProviderHints, 'redirectUri'>,
): string {
  return `The callback URL is ${redirectUri(options)}, made of BASE_URL and AUTH_PREFIX. ${hints.redirectUri}`
}

type Concern = 'refresh token' | 'algorithm'

const isFirst = createFirstTimes<ProviderContext, Concern>()

/** What works today and will disappoint tomorrow: said once a process. */
export function adviseOnTokens(
  context: ProviderContext,
  algorithm: string | undefined,
  refreshToken: string | undefined,
): void {
  if (refreshToken === undefined && isFirst(context, 'refresh token')) tellOfNoRefreshToken(context)
  if (algorithm?.startsWith('HS') === true && isFirst(context, 'algorithm')) {
    context.telemetry.log.warn(
      { algorithm },
      'the access token is signed with a shared secret, which the API would have to know',
    )
  }
}

function tellOfNoRefreshToken({ options, client, telemetry }: ProviderContext): void {
  const hints = providerHints(options.issuerUrl, client.current()?.serverMetadata())
  if (options.scope.split(' ').includes('offline_access')) {
    telemetry.log.warn(
      { remedy: hints.refreshToken },
      'no refresh token came although offline_access was asked for: sessions end with their access token',
    )
    return
  }
  const remedy = `Most providers issue one when SCOPE has offline_access, which it has not. ${hints.refreshToken}`
  telemetry.log.warn({ remedy }, 'no refresh token came: sessions end with their access token')
}
