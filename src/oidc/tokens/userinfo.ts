import { parseObject } from '../../basics/plain-object.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { DpopKey } from '../../signing/dpop-key.ts'
import { sha256 } from '../../signing/thumbprints.ts'
import type { ProviderContext } from '../provider/context.ts'
import { calledEndpoint } from '../provider/endpoints.ts'
import { withoutSecrets } from '../provider/failures/echoes.ts'
import { classifyFailure } from '../provider/failures/provider-error.ts'
import { CheckError, plainValue } from '../provider/failures/refusal.ts'
import type { Claims } from '../verification/claims.ts'
import { openIfEncrypted } from '../verification/decryption.ts'

/** Whose claims are asked for, and with what. */
export interface UserinfoRequest {
  readonly accessToken: string
  /** The key that it is bound to; `undefined`: a bearer token. */
  readonly key: DpopKey | undefined
  readonly issuer: string
  readonly subject: string
}

/** Statuses of an answer that passes by itself. */
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429])
const firstServerStatus = 500

/**
 * Asks the userinfo endpoint (OpenID Connect Core section 5.3) about the user who has just signed in. A signed answer is verified like every
 * JWT of the provider.
 *
 * @throws CheckError when it is another user's, or its signature is wrong; GatewayError `provider_rejected` (401, 403, malformed, no endpoint) or
 *   `provider_unavailable`
 */
export async function askUserinfo(context: ProviderContext, request: UserinfoRequest): Promise<Claims> {
  const claims = await readAnswer(context, await ask(context, request))
  const { issuer, subject } = request
  if (claims.sub !== subject) {
    const { userRef = () => 'a user' } = context
    const received = typeof claims.sub === 'string' ? userRef(issuer, claims.sub) : 'none'
    throw new CheckError('userinfo.sub', { expected: userRef(issuer, subject), received }, 'USERINFO_REFUSED')
  }
  return claims
}

async function ask(context: ProviderContext, request: UserinfoRequest): Promise<Response> {
  const send = await asking(context, request)
  const response = await send()
  const { status, headers } = response
  const challenge = headers.get('www-authenticate')
  // By now the nonce is known (RFC 9449 section 9).
  if (status === 401 && request.key !== undefined && /\buse_dpop_nonce\b/.test(challenge ?? ''))
    return expectAnswer(await send(), request)
  return expectAnswer(response, request)
}

/** What asks, each time with a proof of its own. */
async function asking(
  { client, options }: ProviderContext,
  { accessToken, key }: UserinfoRequest,
): Promise<() => Promise<Response>> {
  const metadata = { ...(await client.configuration()).serverMetadata() }
  const endpoint = calledEndpoint(metadata, 'userinfo_endpoint', options)
  if (endpoint === undefined) throw rejected('the provider announces no userinfo_endpoint: USERINFO=off')
  const authorization = `${key === undefined ? 'Bearer' : 'DPoP'} ${accessToken}`
  const headers = { accept: 'application/json, application/jwt', authorization }
  const init = { method: 'GET', headers, body: undefined, redirect: 'manual' } as const
  const possession = key === undefined ? undefined : { key, accessTokenHash: sha256(accessToken) }
  const fetch = client.fetch('userinfo', { possession })
  return () =>
    fetch(endpoint.href, init).catch((error: unknown) => {
      throw unavailable(classifyFailure(error).error)
    })
}

function expectAnswer(response: Response, { accessToken }: UserinfoRequest): Response {
  const { status, headers } = response
  if (status >= firstServerStatus || passingStatuses.has(status))
    throw unavailable(`userinfo_status_${status}`)
  if (status === 200) return response
  const challenge = withoutSecrets(headers.get('www-authenticate') ?? '', [accessToken])
  throw rejected(`userinfo_status_${status}`, challenge)
}

async function readAnswer(context: ProviderContext, response: Response): Promise<Claims> {
  const text = await response.text()
  return /^application\/jwt\b/i.test(response.headers.get('content-type') ?? '')
    ? readJwt(context, text.trim())
    : readClaims(text)
}

/** What is encrypted to us may be signed inside, or not at all (Core section 5.3.2): then it says as much as one that came in the clear. */
async function readJwt({ client, keys, options }: ProviderContext, untrustedJwt: string): Promise<Claims> {
  const opened = await openIfEncrypted(untrustedJwt, client.clientKeys.decryption(), 'userinfo').catch(() => {
    throw rejected('userinfo_cannot_be_opened')
  })
  const claims = opened?.startsWith('{')
    ? readClaims(opened)
    : (await keys.verify(opened ?? untrustedJwt, { kind: 'userinfo' }, []).catch(notRead)).payload
  expectParty('iss', claims.iss, options.issuerUrl)
  expectParty('aud', claims.aud, options.clientId)
  return claims
}

/** What is no signed JWT at all is no forgery either. */
function notRead(error: unknown): never {
  throw error instanceof CheckError && error.facts.check === 'userinfo.format'
    ? rejected('userinfo_malformed')
    : error
}

function readClaims(untrustedText: string): Claims {
  const parsed = parseObject(untrustedText)
  if (parsed === undefined) throw rejected('userinfo_malformed')
  return parsed
}

/** Both may be left out (Core section 5.3.2). */
function expectParty(name: 'iss' | 'aud', received: unknown, expected: string): void {
  if (received === undefined || [received].flat().includes(expected)) return
  throw new CheckError(`userinfo.${name}`, { expected, received }, 'USERINFO_REFUSED')
}

function unavailable(reason: string): GatewayError {
  return new GatewayError('provider_unavailable', { context: { reason } })
}

function rejected(reason: string, untrustedChallenge = ''): GatewayError {
  const words = untrustedChallenge === '' ? {} : { providerErrorDescription: plainValue(untrustedChallenge) }
  return new GatewayError('provider_rejected', { context: { reason, ...words } })
}
