import { parseObject } from '../basics/plain-object.ts'

/** A compact JWS of somebody else, taken apart. Nothing in it is believed before its signature was verified. */
export interface UntrustedJws {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
  /** What was signed. */
  readonly input: string
  readonly signature: Buffer
}

/** What is wrong with the text of a JWS, whoever signed it: its form, an extension that it asks for, an unusual spelling of its signature. */
export type JwsFault = 'form' | 'crit' | 'signature'

const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/**
 * Takes a compact JWS apart (RFC 7515 section 7.1), or says what is wrong with it. A signature that is spelt in another way than the usual
 * one is refused: what may be used once must have one text.
 *
 * @param longest characters; a longer one is not looked at
 */
export function splitJws(untrusted: string, longest: number): UntrustedJws | JwsFault {
  if (untrusted.length > longest || !compact.test(untrusted)) return 'form'
  const [headerText = '', payloadText = '', signatureText = ''] = untrusted.split('.')
  const [header, payload] = [parseObject(decode(headerText)), parseObject(decode(payloadText))]
  const signature = Buffer.from(signatureText, 'base64url')
  if (header === undefined || payload === undefined) return 'form'
  if (header.crit !== undefined || header.b64 !== undefined) return 'crit'
  if (signature.toString('base64url') !== signatureText) return 'signature'
  return { header, payload, input: `${headerText}.${payloadText}`, signature }
}

function decode(encoded: string): string {
  return Buffer.from(encoded, 'base64url').toString()
}
