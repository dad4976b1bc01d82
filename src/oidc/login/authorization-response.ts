import { timingSafeEqual } from 'node:crypto'
import type { ServerMetadata } from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { type ProviderHints, providerHints } from '../provider/hints.ts'
import type { LoginTransaction } from '../provider/provider.ts'

const longestQuery = 8_192
const longestDescription = 300
/** RFC 6749 appendix A.11. */
const visible = /^[\x20-\x7E]+$/
/** Parameters that decide something: twice is an attempt to make two readers disagree (RFC 6749 section 3.1). */
const singleParameters = ['state', 'code', 'iss', 'error', 'error_description', 'session_state', 'response']

/**
 * Checks an authorization response without asking the provider anything: duplicates, `state`, `iss` (RFC 9207 section 2.4), `error`.
 *
 * @param untrustedQuery the raw query of the callback, without `?`
 * @throws GatewayError `login_refused`, `login_denied`, `login_state_invalid`
 */
export function checkAuthorizationResponse(
  { options, telemetry }: ProviderContext,
  metadata: ServerMetadata,
  untrustedQuery: string,
  transaction: LoginTransaction,
): void {
  const untrusted = parseOnce(untrustedQuery)
  if (!isSame(untrusted.get('state') ?? '', transaction.state)) throw new GatewayError('login_state_invalid')
  expectIssuer(untrusted.get('iss'), options.issuerUrl, metadata)
  if (untrusted.has('response')) throw refused('response mode')
  const error = untrusted.get('error')
  const code = untrusted.get('code')
  if (error !== null && code !== null) throw refused('error and code')
  if (error !== null) {
    const denied = deniedBy(
      error,
      untrusted.get('error_description') ?? '',
      providerHints(options.issuerUrl, metadata),
    )
    telemetry.log.warn({ ...denied.context }, 'the identity provider denied a login')
    throw denied
  }
  if (code === null || code === '') throw refused('no code')
  if (!visible.test(code)) throw refused('code')
}

function parseOnce(untrustedQuery: string): URLSearchParams {
  if (untrustedQuery.length > longestQuery) throw refused('query too long')
  const untrusted = new URLSearchParams(untrustedQuery)
  if (singleParameters.some((name) => untrusted.getAll(name).length > 1)) throw refused('duplicate parameter')
  return untrusted
}

function isSame(untrustedState: string, state: string): boolean {
  const [left, right] = [Buffer.from(untrustedState), Buffer.from(state)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function expectIssuer(untrustedIssuer: string | null, issuer: string, metadata: ServerMetadata): void {
  if (untrustedIssuer === null) {
    if (metadata.authorization_response_iss_parameter_supported === true) throw refused('iss missing')
    return
  }
  if (untrustedIssuer !== issuer) throw refused('iss')
}

function refused(reason: string): GatewayError {
  return new GatewayError('login_refused', { context: { reason } })
}

function deniedBy(untrustedError: string, untrustedDescription: string, hints: ProviderHints): GatewayError {
  const error = plain(untrustedError)
  const description = plain(untrustedDescription)
  const said = description === '' ? error : `${error}: ${description}`
  const remedy = hints.authorizationError(error, description)
  return new GatewayError('login_denied', {
    detail: `The identity provider said "${said}".${remedy === undefined ? '' : ` ${remedy}`}`,
    context: { reason: error, description, ...(remedy === undefined ? {} : { remedy }) },
  })
}

/** Text of the provider's, or of whoever wrote the link: bounded, on one line. It is escaped where it is shown. */
function plain(untrusted: string): string {
  return untrusted
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, longestDescription)
}
