import type { ProviderOptions } from '../options.ts'

/** Something that the provider demands of this client's requests, found in its own words. */
export interface ClientDemand {
  /** What is demanded, for the middle of a sentence. */
  readonly what: string
  /** The setting that meets it. */
  readonly fix: string
  /** The provider's words, without markup, and where in them it was found. */
  readonly untrustedText: string
  readonly index: number
}

/** Settings that meet such demands. */
type DemandedOptions = Pick<
  ProviderOptions,
  | 'tokenBinding'
  | 'pushedAuthorizationRequests'
  | 'requestObject'
  | 'clientKey'
  | 'clientAssertionFile'
  | 'clientCertificate'
>

interface KnownDemand extends Pick<ClientDemand, 'what' | 'fix'> {
  readonly says: RegExp
  /** Whether the settings meet it already: then the words mean something else. */
  readonly isMet?: (options: DemandedOptions) => boolean
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
 * @param untrustedWords an error with its description, or a page
 */
export function clientDemandIn(untrustedWords: string, options: DemandedOptions): ClientDemand | undefined {
  const untrustedText = untrustedWords.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
  for (const { says, what, fix, isMet } of known) {
    const found = says.exec(untrustedText)
    if (found !== null && isMet?.(options) !== true) return { what, fix, untrustedText, index: found.index }
  }
  return undefined
}
