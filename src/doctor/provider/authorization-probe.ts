import { isUnknownAudience } from '../../oidc/provider/profiles/hints.ts'
import { splitJws } from '../../signing/untrusted-jws.ts'
import type { AskProvider } from './ask-provider.ts'
import type { ProviderDemand } from './demand.ts'

/** What an authorization request that asks nobody anything gives away (OpenID Connect Core section 3.1.2.6). */
export type AuthorizationAnswer =
  /** `login_required` or its kin at our redirect URI: all of the request was accepted. */
  | { readonly kind: 'accepted'; readonly error: string }
  /** A page of the provider's instead of a redirect: it would not send a browser to our redirect URI. */
  | {
      readonly kind: 'refused_page'
      readonly about: 'client' | 'redirect_uri' | 'unknown'
      readonly status: number
      readonly demand: ProviderDemand | undefined
    }
  /** Another error at our redirect URI, or in a redirect to a page of the provider's. */
  | {
      readonly kind: 'refused'
      readonly about: 'audience' | 'scope' | 'flow' | 'unknown'
      readonly error: string
      readonly untrustedDescription: string
      readonly demand: ProviderDemand | undefined
    }
  /** It fails at `prompt=none`, and shows a page when it may ask somebody. */
  | { readonly kind: 'silent_fails'; readonly code: string }
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

/** How a request is made and sent. */
export interface AuthorizationProbe {
  /** A complete authorization request; `isSilent`: with `prompt=none`, if it can still be said within what is signed or pushed. */
  readonly begin: (isSilent: boolean) => Promise<URL>
  /** Where the provider is to send the browser. */
  readonly redirectUri: string
  readonly ask: AskProvider
  /** What a refusal demands, in words of the provider's. */
  readonly demandIn: (untrustedText: string) => ProviderDemand | undefined
}

/**
 * Sends the authorization request that a login would send, with `prompt=none`, and follows the provider until it sends the browser to us
 * or shows a page. Where that fails, it tries once without `prompt=none`: some providers cannot do that alone.
 */
export async function probeAuthorization(probe: AuthorizationProbe): Promise<AuthorizationAnswer> {
  const silent = await follow(silenced(await probe.begin(true)), probe)
  if (silent.kind !== 'unreachable' || !silent.code.startsWith('HTTP ')) return silent
  const plain = await follow(await probe.begin(false), probe)
  return plain.kind === 'unreachable' ? silent : { kind: 'silent_fails', code: silent.code }
}

/** Settings may fix another prompt. What is signed or pushed cannot be changed any more. */
function silenced(authorizationUrl: URL): URL {
  const url = new URL(authorizationUrl)
  if (!url.searchParams.has('request') && !url.searchParams.has('request_uri'))
    url.searchParams.set('prompt', 'none')
  return url
}

async function follow(authorizationUrl: URL, probe: AuthorizationProbe): Promise<AuthorizationAnswer> {
  let url = authorizationUrl
  for (let redirects = 0; redirects <= mostRedirects; redirects += 1) {
    const answer = await probe.ask(url)
    if (answer.kind === 'failed') return { kind: 'unreachable', code: answer.code }
    const next = nextUrl(answer.status, answer.headers.location, url)
    if (next === undefined) return readPage(answer.status, answer.body, probe)
    const said = readRedirect(next, probe)
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
function readRedirect(next: URL, probe: AuthorizationProbe): AuthorizationAnswer | undefined {
  const isOurs = `${next.origin}${next.pathname}` === probe.redirectUri
  const parameters =
    isOurs && next.search === '' ? new URLSearchParams(next.hash.slice(1)) : next.searchParams
  const said = isOurs ? opened(parameters) : parameters
  const error = said.get('error')
  if (error === null) return isOurs ? { kind: 'accepted', error: 'none' } : undefined
  const untrustedDescription = said.get('error_description') ?? ''
  if (isOurs) return readError(error, untrustedDescription, probe)
  // A page of the provider's that shows the error: Cognito's /error, a tenant's own error page.
  return readPage(400, `${error} ${untrustedDescription}`, probe)
}

/** An answer as a JWT (JARM) is read, not verified: nothing follows from it but a finding. */
function opened(parameters: URLSearchParams): URLSearchParams {
  const jws = splitJws(parameters.get('response') ?? '', longestResponse)
  if (typeof jws === 'string') return parameters
  const said = new URLSearchParams()
  for (const [name, value] of Object.entries(jws.payload))
    if (typeof value === 'string') said.set(name, value)
  return said
}

/** A signed authorization response travels in an address, characters. */
const longestResponse = 16_384

function readError(
  error: string,
  untrustedDescription: string,
  { demandIn }: AuthorizationProbe,
): AuthorizationAnswer {
  if (needsUser.has(error)) return { kind: 'accepted', error }
  const about = subjectOf(error, untrustedDescription)
  const demand = about === 'audience' ? undefined : demandIn(`${error}: ${untrustedDescription}`)
  return { kind: 'refused', about, error, untrustedDescription, demand }
}

function subjectOf(error: string, description: string): 'audience' | 'scope' | 'flow' | 'unknown' {
  if (isUnknownAudience(error, description)) return 'audience'
  if (error === 'invalid_scope') return 'scope'
  return /^(?:unauthorized_client|unsupported_response_type)$/.test(error) ? 'flow' : 'unknown'
}

function readPage(status: number, untrustedText: string, probe: AuthorizationProbe): AuthorizationAnswer {
  if (status >= 500) return { kind: 'unreachable', code: `HTTP ${status}` }
  const posted = readForm(untrustedText, probe)
  if (posted !== undefined) return posted
  if (status < 400 && !unmistakable.test(untrustedText)) return { kind: 'login_page' }
  if (redirectWords.test(untrustedText))
    return { kind: 'refused_page', about: 'redirect_uri', status, demand: undefined }
  const about = clientWords.test(untrustedText) ? 'client' : 'unknown'
  const demand = about === 'unknown' ? probe.demandIn(untrustedText) : undefined
  return { kind: 'refused_page', about, status, demand }
}

/** A form that posts the answer to us (`form_post`); `undefined`: it is none. */
function readForm(untrustedPage: string, probe: AuthorizationProbe): AuthorizationAnswer | undefined {
  const page = untrustedPage.replace(/&(?:amp|#38|#x26);/gi, '&').replace(/&(?:#x2f|#47|sol);/gi, '/')
  const action = /<form[^>]*\saction\s*=\s*["']([^"']*)["']/i.exec(page)?.[1]
  if (action !== probe.redirectUri) return undefined
  const error = fieldOf(page, 'error')
  return error === undefined
    ? { kind: 'accepted', error: 'none' }
    : readError(error, fieldOf(page, 'error_description') ?? '', probe)
}

function fieldOf(page: string, name: string): string | undefined {
  const input = [...page.matchAll(/<input\b[^>]*>/gi)]
    .map(([tag]) => tag)
    .find((tag) => new RegExp(`\\sname\\s*=\\s*["']?${name}["'\\s/>]`, 'i').test(tag))
  return input === undefined ? undefined : /\svalue\s*=\s*["']([^"']*)["']/i.exec(input)?.[1]
}
