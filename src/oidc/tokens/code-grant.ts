import type { Configuration, CustomFetch } from 'openid-client'
import { parseObject } from '../../basics/plain-object.ts'
import { AnswerMalformedError } from '../../network/bounded-answer.ts'
import type { EndpointCall, OidcClient } from '../provider/client.ts'
import { secretsSent, withoutSecrets } from '../provider/failures/echoes.ts'
import { openEncrypted } from '../verification/decryption.ts'
import type { UntrustedTokenResponse } from './token-response.ts'

/** One request to the token endpoint. */
export interface TokenExchange {
  /** For the OpenID library's grant functions; for this one exchange only. */
  readonly configuration: Configuration
  /**
   * The members of a successful answer, empty when none came; known even when the library's checks then refuse it, because a refresh
   * token in it has replaced the old one, or has to be revoked.
   */
  answer(): UntrustedTokenResponse
}

/** The members that are read, here or by the library; what else an answer holds is never looked at. */
const knownMembers = [
  'access_token',
  'token_type',
  'expires_in',
  'refresh_token',
  'id_token',
  'issued_token_type',
]
const errorMembers = ['error', 'error_description', 'error_uri', 'suberror', 'claims']

type SentRequest = Parameters<CustomFetch>[1]

/**
 * Begins an exchange.
 *
 * @param call what the request proves, and how long the provider may take
 * @throws GatewayError `provider_unavailable` when the provider was never discovered
 */
export async function beginTokenExchange(
  client: OidcClient,
  call: EndpointCall = {},
): Promise<TokenExchange> {
  let members: UntrustedTokenResponse = {}
  const reading =
    (fetch: CustomFetch): CustomFetch =>
    async (url, init) => {
      const response = await fetch(url, init)
      const text = await response.text()
      const untrusted = parseMembers(text)
      if (!response.ok) return refusal(untrusted, text, { response, sent: init })
      if (untrusted === undefined) throw new AnswerMalformedError('the answer is no JSON object')
      if (untrusted.access_token === undefined && typeof untrusted.error === 'string')
        return toResponse(errorIn(untrusted, init), 400, response)
      members = pick(untrusted, knownMembers)
      // Only now: a rotated refresh token must not be lost when the ID token does not open.
      members = { ...members, ...(await openedIdToken(client, untrusted.id_token)) }
      // A malformed life is no fault of the token: it is judged where the token's own `exp` is known.
      return toResponse({ ...members, expires_in: undefined }, 200, response)
    }
  const configuration = await client.endpointConfiguration('token', { ...call, wrap: reading })
  return { configuration, answer: () => members }
}

/** An ID token that is encrypted to us, opened: what is signed inside is what is verified, kept and shown as a hint later. */
async function openedIdToken(
  client: OidcClient,
  untrusted: unknown,
): Promise<{ readonly id_token?: string }> {
  if (typeof untrusted !== 'string') return {}
  return { id_token: await openEncrypted(untrusted, client.clientKeys.decryption(), 'id_token') }
}

/** Members without a value count as left out (RFC 6749 section 3.2); some serialisers write `null` for those. */
function parseMembers(text: string): Readonly<Record<string, unknown>> | undefined {
  const parsed = parseObject(text)
  if (parsed === undefined) return undefined
  return Object.fromEntries(Object.entries(parsed).filter(([, member]) => member !== null && member !== ''))
}

function pick(untrusted: Readonly<Record<string, unknown>>, names: readonly string[]) {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(untrusted, name)).map((name) => [name, untrusted[name]]),
  )
}

/**
 * An answer with its error as the OpenID library reads it. A challenge that asks for a nonce stays (RFC 9449 section 8): it says more than
 * the body.
 *
 * @param sent the request, whose secrets may stand in the error
 */
export async function readableRefusal(response: Response, sent: SentRequest): Promise<Response> {
  const asksForNonce = response.headers.get('www-authenticate')?.includes('use_dpop_nonce') === true
  if (response.ok || asksForNonce) return response
  const text = await response.text()
  return refusal(parseMembers(text), text, { response, sent })
}

/** An error as the library reads it. It takes a challenge for the error, and the body says more. */
function refusal(
  untrusted: Readonly<Record<string, unknown>> | undefined,
  text: string,
  { response, sent }: { readonly response: Response; readonly sent: SentRequest },
): Response {
  if (typeof untrusted?.error === 'string')
    return toResponse(errorIn(untrusted, sent), response.status, response)
  return new Response(text.trim() === '' ? null : text, response)
}

/** The members of an error, whose words are on their way to logs: nothing that we have sent stands in them. */
function errorIn(untrusted: Readonly<Record<string, unknown>>, sent: SentRequest) {
  const secrets = secretsSent(sent)
  const members = Object.entries(pick(untrusted, errorMembers))
  return Object.fromEntries(
    members.map(([name, value]) => [
      name,
      typeof value === 'string' ? withoutSecrets(value, secrets) : value,
    ]),
  )
}

function toResponse(members: object, status: number, { headers: untrustedHeaders }: Response): Response {
  const headers = new Headers(untrustedHeaders)
  headers.delete('www-authenticate')
  // That it is JSON has been seen; some providers call their errors text, or nothing.
  headers.set('content-type', 'application/json')
  return new Response(JSON.stringify(members), { status, headers })
}
