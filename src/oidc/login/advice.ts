import { createFirstTimes } from '../../basics/first-times.ts'
import type { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { type ClientDemand, clientDemandIn } from '../provider/failures/client-demands.ts'
import { factsIn, type RefusalFacts } from '../provider/failures/refusal.ts'
import { type ProviderHints, providerHints } from '../provider/profiles/hints.ts'
import { redirectUri } from './login.ts'

/** Checks that fail when two clocks differ. */
const timeChecks: ReadonlySet<string> = new Set(['id_token.exp', 'id_token.iat', 'id_token.nbf'])

/** What was said of failing logins since the last one that worked. */
const outbreaks = new WeakMap<ProviderContext, object>()

/** More are not told apart: providers choose their words themselves. */
const mostCauses = 20

const isNews = createFirstTimes<object, string>(mostCauses)

/** Whether this is the first login since the last good one that fails for this cause. The next one would have the same line again. */
export function isNewCause(context: ProviderContext, ...cause: readonly unknown[]): boolean {
  const outbreak = outbreaks.get(context) ?? {}
  outbreaks.set(context, outbreak)
  return isNews(outbreak, JSON.stringify(cause))
}

/** Says in the log what the operator can do about a login that failed: what `coatcheck doctor` would say. Once for each cause. */
export function adviseOperator(context: ProviderContext, failure: GatewayError): void {
  const { options, client, telemetry, now } = context
  const facts = factsIn(failure.context)
  const hints = providerHints(options.issuerUrl, client.current()?.serverMetadata())
  const { providerErrorDescription = '' } = facts
  if (isAboutRedirectUri(providerErrorDescription) && isNewCause(context, 'callback URL')) {
    telemetry.log.error(
      { ...facts, remedy: redirectUriRemedy(context, hints) },
      'the identity provider does not know our callback URL',
    )
  }
  const { reason } = failure.context
  const demand = demandOf(context, facts)
  const cause = ['client', reason, facts.providerError, demand?.what]
  if (failure.code === 'provider_rejected' && isNewCause(context, ...cause)) {
    telemetry.log.error(
      { reason, ...facts, remedy: demand?.fix ?? hints.registration(options) },
      demand === undefined
        ? 'the identity provider refuses our client: compare CLIENT_ID, CLIENT_SECRET and CLIENT_AUTHENTICATION with its registration; coatcheck doctor checks them'
        : `the identity provider demands ${demand.what} of our client`,
    )
  }
  if (facts.check === undefined || !timeChecks.has(facts.check)) return
  const differenceSeconds = Math.round(now() / 1_000 - Number(facts.received))
  if (!Number.isFinite(differenceSeconds) || !isNewCause(context, 'clocks', facts.check)) return
  telemetry.log.error(
    { ...facts, differenceSeconds },
    'the clocks of gateway and identity provider differ: let both be set by NTP',
  )
}

/** More are not told of: an answer without `state` may be anybody's. */
const mostStrays = 5

const isFirstStray = createFirstTimes<ProviderContext, string>(mostStrays)

/** Says in the log what an error means that came back without its `state`, as some providers send those about the configuration. Once for each. */
export function adviseOnStray(context: ProviderContext, words: RefusalFacts): void {
  const { options, client, telemetry } = context
  const hints = providerHints(options.issuerUrl, client.current()?.serverMetadata())
  const remedy = deniedRemedy(context, words, hints)
  if (remedy === undefined || !isFirstStray(context, words.providerError ?? '')) return
  telemetry.log.warn({ ...words, remedy }, 'a login came back with an error and without its state')
}

/** What is to be done about an error of an authorization response; `undefined` where it is not about the configuration. */
export function deniedRemedy(
  context: ProviderContext,
  words: RefusalFacts,
  hints: ProviderHints,
): string | undefined {
  const { providerError = 'none', providerErrorDescription = '' } = words
  if (isAboutRedirectUri(providerErrorDescription)) return redirectUriRemedy(context, hints)
  return hints.authorizationError(providerError, providerErrorDescription) ?? demandOf(context, words)?.fix
}

/** Errors about a request or a client; any other is about a person, whatever it says. */
const errorsOfRequests = /^(?:invalid_(?:request|request_object|client)|unauthorized_client)$/

/** What the provider demands of the client's requests and the settings do not meet, where its words say that. */
function demandOf(
  { options }: Pick<ProviderContext, 'options'>,
  { providerError = '', providerErrorDescription = '' }: RefusalFacts,
): ClientDemand | undefined {
  return errorsOfRequests.test(providerError) ? clientDemandIn(providerErrorDescription, options) : undefined
}

/** Whether the provider complains about our callback URL. No two providers word it alike, but all name the parameter. */
function isAboutRedirectUri(untrustedDescription: string): boolean {
  return /redirect[ _-]?ur[il]|callback url|\bAADSTS50011\b/i.test(untrustedDescription)
}

/** What is to be done about it. */
function redirectUriRemedy(
  { options }: Pick<ProviderContext, 'options'>,
  hints: Pick<ProviderHints, 'redirectUri'>,
): string {
  return `The callback URL is ${redirectUri(options)}, made of BASE_URL and AUTH_PREFIX. ${hints.redirectUri}`
}

type Concern = 'refresh token' | 'algorithm'

const isFirst = createFirstTimes<ProviderContext, Concern>()

/** A login has worked. What works today and will disappoint tomorrow is said once a process. */
export function adviseOnSuccess(
  context: ProviderContext,
  algorithm: string | undefined,
  refreshToken: string | undefined,
): void {
  outbreaks.delete(context)
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
  const remedy = hints.noRefreshToken(options.scope)
  telemetry.log.warn({ remedy }, 'no refresh token came: sessions end with their access token')
}
