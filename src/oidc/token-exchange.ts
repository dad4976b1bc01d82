import type { Configuration } from 'openid-client'
import type { OidcClient } from './client.ts'
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

/**
 * Begins an exchange.
 *
 * @throws GatewayError `provider_unavailable` when the provider was never discovered
 */
export async function beginTokenExchange(client: OidcClient): Promise<TokenExchange> {
  let members: UntrustedTokenResponse = {}
  const configuration = await client.exchangeConfiguration(async (url, init) => {
    const response = await client.fetch(url, init)
    const text = await response.text()
    const untrusted = parseObject(text)
    if (untrusted === undefined) return new Response(text === '' ? null : text, response)
    if (response.ok) members = untrusted
    return tolerable(untrusted, response)
  })
  return { configuration, answer: () => members }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** Without what the library refuses an answer for although nothing is wrong with its tokens or its error. */
function tolerable(untrusted: Readonly<Record<string, unknown>>, response: Response): Response {
  const { error } = untrusted
  const headers = new Headers(response.headers)
  // The library reads the challenge instead of the error, which says more.
  if (typeof error === 'string') headers.delete('www-authenticate')
  // A malformed life is no fault of the token: it is judged where the token's own `exp` is known.
  const body = JSON.stringify({ ...untrusted, expires_in: undefined })
  return new Response(body, { status: response.status, headers })
}
