import { type Parser, ValueFault } from '../setting.ts'

/** Signatures that a provider may make (RFC 7518, RFC 8037). Asymmetric only: with `none` or HS* anybody, or anybody with the client secret, could sign. */
export const signatureAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

/** One of them, in whatever case it is written. */
export const signatureAlgorithm: Parser<string> = (untrusted) => {
  const found = signatureAlgorithms.find((name) => name.toLowerCase() === untrusted.toLowerCase())
  if (found === undefined) throw new ValueFault(`must be of ${signatureAlgorithms.join(', ')}`)
  return found
}
