import { isUnknownAudience } from '../../oidc/provider/hints.ts'
import { probe } from '../http-probe.ts'

/** What an authorization request that asks nobody anything gives away (OpenID Connect Core section 3.1.2.6). */
export type AuthorizationAnswer =
  /** `login_required` or its kin at our redirect URI: all of the request was accepted. */
  | { readonly kind: 'accepted'; readonly error: string }
  /** A page of the provider's instead of a redirect: it would not send a browser to our redirect URI. */
  | {
      readonly kind: 'refused_page'
      readonly about: 'client' | 'redirect_uri' | 'unknown'
      readonly status: number
    }
  /** Another error at our redirect URI, or in a redirect to a page of the provider's. */
  | {
      readonly kind: 'refused'
      readonly about: 'audience' | 'scope' | 'flow' | 'unknown'
      readonly error: string
      readonly untrustedDescription: string
    }
  /** It asked for a login although it was told not to. */
  | { readonly kind: 'login_page' }
  | { readonly kind: 'unreachable'; readonly code: string }

/** Some providers look at cookies or pick a tenant first. */
const mostRedirects = 5

/** Errors that come only after everything else has been found in order. */
const needsUser = new Set([
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
])

const clientWords =
  /unknown client|client (?:was )?not found|invalid_client|client (?:does not|doesn't) exist|deleted_client|AADSTS700016/i
const redirectWords =
  /callback url mismatch|redirect_(?:uri_)?mismatch|invalid_redirect_uri|invalid (?:parameter:? )?redirect_uri|redirect_uri['’"]? (?:parameter |did not |does not |must |is not )|AADSTS50011/i
/** A login page may say anything, so only the codes that stand for nothing else count on a page that is no error. */
const unmistakable = /AADSTS(?:50011|700016)\b/

/**
 * Sends the authorization request that a login would send, with `prompt=none`, and follows the provider until it sends the browser to us
 * or shows a page.
 *
 * @param authorizationUrl a complete authorization request
 * @param redirectUri where the provider is to send the browser
 */
export async function probeAuthorization(
  authorizationUrl: URL,
  redirectUri: string,
  timeoutMs: number,
): Promise<AuthorizationAnswer> {
  let url = new URL(authorizationUrl)
  url.searchParams.set('prompt', 'none')
  for (let redirects = 0; redirects <= mostRedirects; redirects += 1) {
    const answer = await probe({ url, timeoutMs, headers: { accept: 'text/html,*/*;q=0.1' } })
    if (answer.kind === 'failed') return { kind: 'unreachable', code: answer.code }
    const next = nextUrl(answer.status, answer.headers.location, url)
    if (next === undefined) return readPage(answer.status, answer.body)
    const said = readRedirect(next, redirectUri)
    if (said !== undefined) return said
    url = next
  }
  return { kind: 'login_page' }
}

function nextUrl(status: number, location: string | undefined, base: URL): URL | undefined {
  if (status < 300 || status > 399 || location === undefined) return undefined
  const next = URL.parse(location, base.href)
  return next?.protocol === 'https:' || next?.protocol === 'http:' ? next : undefined
}

/** `undefined`: the way leads on. */
function readRedirect(next: URL, redirectUri: string): AuthorizationAnswer | undefined {
  const isOurs = `${next.origin}${next.pathname}` === redirectUri
  const parameters =
    isOurs && next.search === '' ? new URLSearchParams(next.hash.slice(1)) : next.searchParams
  const error = parameters.get('error')
  if (error === null) return isOurs ? { kind: 'accepted', error: 'none' } : undefined
  const untrustedDescription = parameters.get('error_description') ?? ''
  if (isOurs) return readError(error, untrustedDescription)
  // A page of the provider's that shows the error: Cognito's /error, a tenant's own error page.
  return readPage(400, `${error} ${untrustedDescription}`)
}

function readError(error: string, untrustedDescription: string): AuthorizationAnswer {
  if (needsUser.has(error)) return { kind: 'accepted', error }
  return { kind: 'refused', about: subjectOf(error, untrustedDescription), error, untrustedDescription }
}

function subjectOf(error: string, description: string): 'audience' | 'scope' | 'flow' | 'unknown' {
  if (isUnknownAudience(error, description)) return 'audience'
  if (error === 'invalid_scope') return 'scope'
  return /^(?:unauthorized_client|unsupported_response_type)$/.test(error) ? 'flow' : 'unknown'
}

function readPage(status: number, untrustedText: string): AuthorizationAnswer {
  if (status >= 500) return { kind: 'unreachable', code: `HTTP ${status}` }
  if (status < 400 && !unmistakable.test(untrustedText)) return { kind: 'login_page' }
  if (redirectWords.test(untrustedText)) return { kind: 'refused_page', about: 'redirect_uri', status }
  const about = clientWords.test(untrustedText) ? 'client' : 'unknown'
  return { kind: 'refused_page', about, status }
}
