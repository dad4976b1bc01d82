import { decodeJwt } from 'jose'
import { textOf } from '../../basics/text.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { loginFailure } from '../provider/failures/provider-error.ts'
import { openEncrypted } from '../verification/decryption.ts'

/** What a signed response may bring besides the code (RFC 6749 section 4.1.2, RFC 9207). */
const parameters = ['code', 'state', 'iss', 'error', 'error_description', 'error_uri', 'session_state']
const longestResponse = 16_384

/**
 * The `state` that a signed response (JARM) names, which nobody has verified yet: it finds the transaction and is good for nothing else.
 *
 * @param untrustedQuery the raw query of the callback
 */
export async function unverifiedState(
  { client }: Pick<ProviderContext, 'client'>,
  untrustedQuery: string,
): Promise<string | undefined> {
  try {
    const jwt = await openEncrypted(responseOf(untrustedQuery), client.clientKeys.decryption())
    return textOf(decodeJwt(jwt).state)
  } catch {
    return undefined
  }
}

/**
 * Verifies a signed authorization response (JARM section 2.4): signature, issuer, audience, expiry.
 *
 * @returns its parameters, as an unsigned response would have brought them
 * @throws GatewayError `login_refused`, `provider_unavailable`
 */
export async function verifySignedResponse(
  { client, keys }: ProviderContext,
  untrustedQuery: string,
): Promise<string> {
  try {
    const jwt = await openEncrypted(responseOf(untrustedQuery), client.clientKeys.decryption())
    const { payload } = await keys.verify(jwt, { kind: 'response' }, ['iss', 'aud', 'exp', 'state'])
    const found = new URLSearchParams()
    for (const name of parameters) {
      const value = payload[name]
      if (typeof value === 'string') found.set(name, value)
    }
    return `${found}`
  } catch (error) {
    throw loginFailure(error)
  }
}

/** The one parameter of such a response. @throws GatewayError `login_refused` */
function responseOf(untrustedQuery: string): string {
  const untrusted = new URLSearchParams(untrustedQuery)
  const [response = '', ...others] = untrusted.getAll('response')
  if (response === '' || others.length > 0 || response.length > longestResponse) throw refused()
  // Beside it they would be believed by nobody, and were put there by somebody.
  if (['code', 'state', 'error'].some((name) => untrusted.has(name))) throw refused()
  return response
}

function refused(): GatewayError {
  return new GatewayError('login_refused', { context: { reason: 'response mode', check: 'response.mode' } })
}
