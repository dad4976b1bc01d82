import { randomUUID } from 'node:crypto'
import { type DpopKey, proofAlgorithm } from './dpop-key.ts'
import { signatureOf } from './jws.ts'

/** What a proof is for (RFC 9449 section 4.2). */
export interface ProofTarget {
  readonly method: string
  /** The URL of the request without query and fragment, as the other side knows itself. */
  readonly url: string
  /** `ath`: `sha256(accessToken)`, at a resource; `undefined` at the authorization server. */
  readonly accessTokenHash: string | undefined
  /** The nonce that the other side has handed out last. */
  readonly nonce: string | undefined
}

/**
 * A DPoP proof, made synchronously with one ES256 signature.
 *
 * @param nowMs epoch milliseconds
 */
export function createDpopProof(key: DpopKey, target: ProofTarget, nowMs: number): string {
  const input = `${key.proofHeader}.${Buffer.from(claimsOf(target, nowMs)).toString('base64url')}`
  return `${input}.${signatureOf(input, { privateKey: key.privateKey, algorithm: proofAlgorithm })}`
}

/** Put together by hand: one is made for each request to an API, and of an object it takes three times as long. */
function claimsOf({ method, url, accessTokenHash, nonce }: ProofTarget, nowMs: number): string {
  const ath = accessTokenHash === undefined ? '' : `,"ath":${JSON.stringify(accessTokenHash)}`
  const named = nonce === undefined ? '' : `,"nonce":${JSON.stringify(nonce)}`
  const asked = `"htm":${JSON.stringify(method)},"htu":${JSON.stringify(url)}`
  return `{"jti":"${randomUUID()}",${asked},"iat":${Math.floor(nowMs / 1_000)}${ath}${named}}`
}

/** `htu` of a URL: without query and fragment (RFC 9449 section 4.2). */
export function proofUrl(url: URL): string {
  return `${url.origin}${url.pathname}`
}
