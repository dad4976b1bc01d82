import { isLoopback } from '../../config/parsers-address.ts'
import type { Check } from '../check.ts'
import { fail, pass } from '../finding.ts'
import { textOf } from '../provider/discovery.ts'

const needed = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const

/** The endpoints that a login needs are announced, and as safe as the issuer. */
export const discoveryEndpointsCheck: Check = {
  id: 'discovery.endpoints',
  async examine({ metadata, hints }) {
    const document = await metadata()
    const missing = needed.filter((name) => !isSafe(textOf(document, name)))
    return missing.length === 0
      ? pass('Authorization, token and key endpoints are announced.')
      : fail(`The provider announces no ${missing.join(', no ')} with https.`, hints.issuer)
  },
}

function isSafe(text: string | undefined): boolean {
  const url = URL.parse(text ?? '')
  return url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)))
}
