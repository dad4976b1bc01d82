import type { Config } from '../../config/load-config.ts'
import { plainText } from '../plain-text.ts'

/** Something that the provider demands of this client's requests, found in its own words. */
export interface ProviderDemand {
  /** What is demanded, for the middle of a sentence. */
  readonly what: string
  /** The setting that meets it. */
  readonly fix: string
  /** The provider's words, bounded. */
  readonly words: string
}

interface KnownDemand extends Pick<ProviderDemand, 'what' | 'fix'> {
  readonly says: RegExp
  /** Whether the settings meet it already: then the words mean something else. */
  readonly isMet?: (config: Config) => boolean
}

const known: readonly KnownDemand[] = [
  {
    says: /\bdpop/i,
    what: 'a proof of possession (DPoP)',
    fix: 'Set TOKEN_BINDING=dpop.',
    isMet: ({ tokenBinding }) => tokenBinding === 'dpop',
  },
  {
    says: /pushed[ _-]authorization|\bPAR (?:is )?(?:must|required|only)/i,
    what: 'pushed authorization requests (PAR)',
    fix: 'Set PUSHED_AUTHORIZATION_REQUESTS=on.',
    isMet: ({ pushedAuthorizationRequests }) => pushedAuthorizationRequests === 'on',
  },
  {
    says: /request[ _-]object|signed (?:authorization )?request|['"`’]request['"`’] parameter|missing parameter:? ['"]?request\b/i,
    what: 'signed authorization requests',
    fix: 'Set REQUEST_OBJECT=signed, with CLIENT_KEY.',
    isMet: ({ requestObject }) => requestObject === 'signed',
  },
  {
    says: /client[ _]assertion|private_key_jwt|signed jwt/i,
    what: 'a client that proves itself with a key',
    fix: 'Make one with coatcheck client-key, register it, and put it into CLIENT_KEY_FILE in place of CLIENT_SECRET.',
    isMet: ({ clientKey, clientAssertionFile }) =>
      clientKey !== undefined || clientAssertionFile !== undefined,
  },
  {
    says: /mutual[ -]?tls|\bmtls\b|tls_client_auth|client certificate/i,
    what: 'a client certificate (mutual TLS)',
    fix: 'Set CLIENT_CERTIFICATE_FILE and CLIENT_CERTIFICATE_KEY_FILE.',
    isMet: ({ clientCertificate }) => clientCertificate !== undefined,
  },
  {
    says: /response[ _]mode/i,
    what: 'another response mode',
    fix: 'Set RESPONSE_MODE to one that it announces: jwt, form_post or query.',
  },
]

/**
 * The demand that an error of the provider's is about, if it is about one.
 *
 * @param untrustedText an error with its description, or a page
 */
export function demandIn(untrustedText: string, config: Config): ProviderDemand | undefined {
  const text = untrustedText.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
  for (const { says, what, fix, isMet } of known) {
    const found = says.exec(text)
    if (found === null || isMet?.(config) === true) continue
    return { what, fix, words: sentenceAround(text, found.index) }
  }
  return undefined
}

const wordsBefore = 80
const wordsAfter = 160

function sentenceAround(text: string, index: number): string {
  const start = Math.max(0, index - wordsBefore)
  const before = text.slice(start, index).replace(/^.*[.!?:{}"]\s*/, '')
  return plainText(`${before}${text.slice(index, index + wordsAfter).replace(/[.!?{}"].*$/, '')}`)
}
