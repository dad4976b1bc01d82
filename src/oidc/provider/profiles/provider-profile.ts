import type { UntrustedMetadata } from '../endpoints.ts'
import type { RevocationReason } from '../provider.ts'

/** What an operator has to know about one kind of provider, in that provider's own words. Each text is one or two sentences. */
export interface ProviderProfile {
  readonly name: string
  readonly isIssuer: (issuer: URL, metadata: UntrustedMetadata | undefined) => boolean
  /** How `ISSUER_URL` is written. */
  readonly issuer: string
  /** Where client id and secret are found, and which kind of client it is. */
  readonly client: string
  /** Where the public half of `CLIENT_KEY` is registered. */
  readonly key?: string
  /** Where a redirect URI is registered. */
  readonly redirectUri: string
  /** What makes the access token one for the API. */
  readonly audience: string
  /** The same when the token came encrypted, if that says more. */
  readonly encrypted?: string
  /** What makes the access token verifiable by the provider's public keys. */
  readonly signing: string
  /** Why a key that signs ID tokens may not be published yet, and what to do, where that is no fault. */
  readonly lateKeys?: string
  /** The switch that makes the provider issue refresh tokens. */
  readonly refreshToken: string
  /** Whether a client's assertion must be for the token endpoint, against the rule that it is for the issuer. */
  readonly wantsTokenEndpoint?: true
  /** Whether a refresh token is to be revoked for this reason; `undefined`: always. */
  readonly revokes?: (reason: RevocationReason, scope: string) => boolean
  /** What can be done when discovery announces no end-session endpoint. */
  readonly endSession: string
  /** Where a back-channel logout URL is registered, or what there is instead. */
  readonly backchannel: string
  /** Where the page is registered to which a logout leads back. */
  readonly logoutUri: string
  /** What `offline_access` does there besides bringing a refresh token, where it does harm. */
  readonly offlineAccess?: { readonly summary: string; readonly fix: string }
}

/** Issuers on this domain or beneath it. */
export const hostEndsWith = (suffix: string) => (issuer: URL) =>
  issuer.hostname === suffix || issuer.hostname.endsWith(`.${suffix}`)
