import { timingSafeEqual } from 'node:crypto'
import type { ServerMetadata } from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { withoutSecrets } from '../provider/failures/echoes.ts'
import { CheckError, providerWords, type RefusalFacts } from '../provider/failures/refusal.ts'
import type { ProviderOptions } from '../provider/options.ts'
import { type ProviderHints, providerHints } from '../provider/profiles/hints.ts'
import type { LoginTransaction } from '../provider/provider.ts'
import { deniedRemedy } from './advice.ts'
import { inWords } from './error-words.ts'

const longestQuery = 8_192
/** RFC 6749 appendix A.11. */
const visible = /^[\x20-\x7E]+$/
/** Parameters that decide something: twice is an attempt to make two readers disagree (RFC 6749 section 3.1). */
const singleParameters = ['state', 'code', 'iss', 'error', 'error_description', 'session_state', 'response']
/** What only the flows bring that hand tokens to browsers (RFC 9700 section 2.1.2); nobody asked for those. */
const frontChannelTokens = ['id_token', 'token', 'access_token']

/**
 * Checks an authorization response without asking the provider anything: duplicates, `state`, `iss` (RFC 9207 section 2.4), `error`.
 *
 * @param untrustedQuery the raw query of the callback, without `?`
 * @throws GatewayError `login_refused`, `login_denied`, `login_state_invalid`
 */
export function checkAuthorizationResponse(
  context: ProviderContext,
  metadata: ServerMetadata,
  untrustedQuery: string,
  transaction: LoginTransaction,
): void {
  const { options, telemetry } = context
  const untrusted = parseOnce(untrustedQuery)
  if (!isSame(untrusted.get('state') ?? '', transaction.state)) {
    throw new GatewayError('login_state_invalid', {
      context: { check: 'response.state', ...wordsOf(untrusted, transaction) },
    })
  }
  expectIssuer(untrusted.get('iss'), options, metadata)
  if (untrusted.has('response'))
    throw refused('mode', { expected: 'an answer in plain parameters', received: 'a signed one' })
  const code = untrusted.get('code')
  const token = frontChannelTokens.find((name) => untrusted.has(name))
  if (token !== undefined) throw refused('mode', { expected: 'a code alone', received: token })
  if (untrusted.has('error') && code !== null) throw refused('code', { expected: 'none beside an error' })
  if (untrusted.has('error')) {
    const denied = deniedBy(
      wordsOf(untrusted, transaction),
      context,
      providerHints(options.issuerUrl, metadata),
    )
    const level = isUnasked(transaction, denied.context.providerError) ? 'debug' : 'warn'
    telemetry.log[level]({ ...denied.context }, 'the identity provider denied a login')
    throw denied
  }
  if (code === null || code === '') throw refused('code', { expected: 'a code', received: 'none' })
  if (!visible.test(code)) throw refused('code', { expected: 'visible ASCII' })
}

/** Answers to `prompt=none` which say that somebody would have to be asked (OpenID Connect Core section 3.1.2.6). */
const unaskedErrors: ReadonlySet<unknown> = new Set([
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
])

/** The page asked whether a sign-in is possible without asking anybody, and it is not: no failure. */
export function isUnasked(
  { isSilent }: Pick<LoginTransaction, 'isSilent'>,
  untrustedError: unknown,
): boolean {
  return isSilent === true && unaskedErrors.has(untrustedError)
}

/**
 * The provider's error in an authorization response, `state` or not, safe to log.
 *
 * @param login the one that is answered, where it is known
 */
export function wordsOf(untrusted: URLSearchParams, login?: LoginTransaction): RefusalFacts {
  const sent = login === undefined ? [] : [login.state, login.nonce, login.codeVerifier]
  const secrets = [untrusted.get('state') ?? '', untrusted.get('code') ?? '', ...sent]
  const member = (name: string) => withoutSecrets(untrusted.get(name) ?? '', secrets)
  return providerWords({
    error: member('error'),
    error_description: member('error_description'),
    error_uri: member('error_uri'),
  })
}

/** The `state` of a response that is not signed; `undefined` when there are several. */
export function plainState(untrustedAnswer: string): string | undefined {
  const [state, ...others] = new URLSearchParams(untrustedAnswer).getAll('state')
  return others.length === 0 ? state : undefined
}

function parseOnce(untrustedQuery: string): URLSearchParams {
  if (untrustedQuery.length > longestQuery)
    throw refused('length', { expected: `at most ${longestQuery}`, received: untrustedQuery.length })
  const untrusted = new URLSearchParams(untrustedQuery)
  const twice = singleParameters.find((name) => untrusted.getAll(name).length > 1)
  if (twice !== undefined) throw refused(twice, { expected: 'once', received: 'several times' })
  return untrusted
}

function isSame(untrustedState: string, state: string): boolean {
  const [left, right] = [Buffer.from(untrustedState), Buffer.from(state)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function expectIssuer(
  untrustedIssuer: string | null,
  { issuerUrl: issuer, securityProfile = 'none' }: ProviderOptions,
  { authorization_response_iss_parameter_supported: isAnnounced }: ServerMetadata,
): void {
  if (untrustedIssuer === null && isAnnounced !== true && securityProfile === 'none') return
  if (untrustedIssuer !== issuer) throw refused('iss', { expected: issuer, received: untrustedIssuer })
}

function refused(parameter: string, compared: ConstructorParameters<typeof CheckError>[1]): GatewayError {
  const { facts } = new CheckError(`response.${parameter}`, compared)
  return new GatewayError('login_refused', { context: { reason: parameter, ...facts } })
}

/** What the page says: the provider's description is for the operator, and anybody could have written it. */
function deniedBy(words: RefusalFacts, context: ProviderContext, hints: ProviderHints): GatewayError {
  const { providerError = 'none' } = words
  const remedy = deniedRemedy(context, words, hints)
  return new GatewayError('login_denied', {
    detail: `${inWords(providerError)}${remedy === undefined ? '' : ` ${remedy}`}`,
    context: { reason: providerError, ...words, ...(remedy === undefined ? {} : { remedy }) },
  })
}
