import { decodeJwt, type JWSHeaderParameters, type JWTPayload } from 'jose'
import { textOf } from '../../basics/text.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { loginFailure } from '../provider/failures/provider-error.ts'
import { CheckError } from '../provider/failures/refusal.ts'
import { openEncrypted } from '../verification/decryption.ts'
import { tokenKind } from '../verification/keys/key-set.ts'
import { isEncrypted } from '../verification/untrusted-jwt.ts'
import { plainState } from './authorization-response.ts'

/** What a signed response may bring besides the code (RFC 6749 section 4.1.2, RFC 9207). */
const parameters = ['code', 'state', 'iss', 'error', 'error_description', 'error_uri', 'session_state']
const longestResponse = 16_384

/**
 * The `state` that a signed response (JARM) names, which nobody has verified yet: it finds the transaction and is good for nothing else. An
 * answer that cannot be read may have one beside it: its login is found then, to be refused by name.
 *
 * @param untrustedQuery the raw query of the callback
 * @param admit called before something is decrypted
 * @returns `undefined` for an answer that is not signed and has no `state`
 * @throws GatewayError `login_refused`, whatever `admit` throws
 */
export async function unverifiedState(
  { client }: Pick<ProviderContext, 'client'>,
  untrustedQuery: string,
  admit: () => void,
): Promise<string | undefined> {
  const plain = plainState(untrustedQuery)
  if (plain !== undefined || !new URLSearchParams(untrustedQuery).has('response')) return plain
  try {
    const untrusted = responseOf(untrustedQuery)
    const keys = client.clientKeys.decryption()
    if (keys.length > 0 && isEncrypted(untrusted)) admit()
    return stateIn(await openEncrypted(untrusted, keys, 'response'))
  } catch (error) {
    throw loginFailure(error)
  }
}

function stateIn(untrustedJwt: string): string {
  const format = isEncrypted(untrustedJwt)
    ? 'an encrypted one (JWE), and CLIENT_ENCRYPTION_KEY is not set'
    : 'none'
  const payload = parsePayload(untrustedJwt)
  if (payload === undefined)
    throw new CheckError('response.format', { expected: 'a signed JWT', received: format })
  const state = textOf(payload.state)
  if (state === undefined) throw new CheckError('response.state', { expected: 'a state', received: 'none' })
  return state
}

function parsePayload(untrustedJwt: string): JWTPayload | undefined {
  try {
    return decodeJwt(untrustedJwt)
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
  { client, keys, options }: ProviderContext,
  untrustedQuery: string,
): Promise<string> {
  try {
    const jwt = await openEncrypted(responseOf(untrustedQuery), client.clientKeys.decryption(), 'response')
    const { payload, header } = await keys.verify(jwt, { kind: 'response' }, ['iss', 'aud', 'exp', 'state'])
    expectResponse(header, payload, options.clientId)
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

/** Kinds of JWT that the same keys sign; responses have none of their own. */
const otherKinds: ReadonlySet<string | undefined> = new Set([
  'at+jwt',
  'id_token+jwt',
  'logout+jwt',
  'secevent+jwt',
])

/** It is for us alone (JARM section 2.1), and no token of another kind. */
function expectResponse(header: JWSHeaderParameters, { aud }: JWTPayload, clientId: string): void {
  const kind = tokenKind(header)
  if (otherKinds.has(kind)) throw new CheckError('response.typ', { expected: 'JWT', received: kind })
  if ([aud].flat().length > 1) throw new CheckError('response.aud', { expected: clientId, received: aud })
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
