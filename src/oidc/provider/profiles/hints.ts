import type { UntrustedMetadata } from '../endpoints.ts'
import type { ProviderOptions } from '../options.ts'
import type { AccessTokenFault, RevocationReason } from '../provider.ts'
import { genericProfile, profiles } from './profiles.ts'
import type { ProviderProfile } from './provider-profile.ts'

/** Remedies in the provider's own words. */
export interface ProviderHints
  extends Pick<
    ProviderProfile,
    | 'name'
    | 'issuer'
    | 'client'
    | 'redirectUri'
    | 'refreshToken'
    | 'endSession'
    | 'backchannel'
    | 'logoutUri'
    | 'offlineAccess'
    | 'lateKeys'
  > {
  /** Whether the provider was recognised by its issuer. */
  readonly isRecognised: boolean
  /** Whether a client's assertion must be for the token endpoint. */
  readonly wantsTokenEndpoint: boolean
  /** What to compare when the provider does not take our proof of who we are. */
  registration(client: ProvingClient): string
  /** What to do when it gives no refresh token for this scope. */
  noRefreshToken(scope: string): string
  /** What to change when an access token cannot be used. */
  accessToken(kind: AccessTokenFault['kind'], askedFor: string): string
  /** Whether a refresh token is to be revoked at this provider for this reason. */
  revokes(reason: RevocationReason, scope: string): boolean
  /** What an authorization error of this provider means, when it is about the configuration. */
  authorizationError(error: string, untrustedDescription: string): string | undefined
}

/** How the client proves itself. */
type ProvingClient = Pick<ProviderOptions, 'clientAuthentication' | 'clientKey'>

/**
 * The remedies for an issuer; general ones where it is not recognised.
 *
 * @param metadata what discovery found, if it did: a domain of one's own tells nothing about the provider behind it
 */
export function providerHints(issuerUrl: string, metadata?: UntrustedMetadata): ProviderHints {
  const issuer = new URL(issuerUrl)
  const recognised = profiles.find(({ isIssuer }) => isIssuer(issuer, metadata))
  const profile = recognised ?? genericProfile
  return {
    ...profile,
    isRecognised: recognised !== undefined,
    wantsTokenEndpoint: profile.wantsTokenEndpoint === true,
    registration: (client) => (provesByKey(client) ? (profile.key ?? anyKey) : profile.client),
    noRefreshToken: (scope) => noRefreshToken(profile, scope),
    revokes: (reason, scope) => profile.revokes?.(reason, scope) ?? true,
    accessToken: (kind) => accessTokenRemedy(profile, kind),
    authorizationError(error, untrustedDescription) {
      return isUnknownAudience(error, untrustedDescription)
        ? `The provider does not know the API audience. ${profile.audience}`
        : undefined
    },
  }
}

/** Our own address for the keys is of use only while it is answered. */
const anyKey =
  'Register the public half of CLIENT_KEY at the client: by the address BASE_URL/client-keys, which the provider must reach, or pasted from there.'

function provesByKey({ clientAuthentication, clientKey }: ProvingClient): boolean {
  if (clientAuthentication === 'private_key_jwt') return true
  return clientAuthentication === 'auto' && clientKey !== undefined
}

function noRefreshToken({ offlineAccess, refreshToken }: ProviderProfile, scope: string): string {
  const isAskedFor = scope.split(' ').includes('offline_access')
  return isAskedFor || offlineAccess !== undefined
    ? refreshToken
    : `Add offline_access to SCOPE, without which most providers give none. ${refreshToken}`
}

function accessTokenRemedy(profile: ProviderProfile, kind: AccessTokenFault['kind']): string {
  if (kind === 'symmetric') return profile.signing
  return kind === 'encrypted' ? (profile.encrypted ?? profile.audience) : profile.audience
}

/** Auth0's answer to an audience that is not registered, which its simulators repeat; RFC 8707's; Entra's; and Hydra's. */
export function isUnknownAudience(error: string, untrustedDescription: string): boolean {
  if (error === 'invalid_target' || /\bAADSTS500011\b/.test(untrustedDescription)) return true
  if (error === 'invalid_request') return /\baudience\b.*\bnot been whitelisted\b/i.test(untrustedDescription)
  return error === 'access_denied' && /^Service not (?:found|enabled)/.test(untrustedDescription)
}
