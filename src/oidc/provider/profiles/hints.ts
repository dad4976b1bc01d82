import type { UntrustedMetadata } from '../endpoints.ts'
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
  > {
  /** Whether the provider was recognised by its issuer. */
  readonly isRecognised: boolean
  /** What to change when an access token cannot be used. */
  accessToken(kind: AccessTokenFault['kind'], askedFor: string): string
  /** Whether a refresh token is to be revoked at this provider for this reason. */
  revokes(reason: RevocationReason, scope: string): boolean
  /** What an authorization error of this provider means, when it is about the configuration. */
  authorizationError(error: string, untrustedDescription: string): string | undefined
}

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
    revokes: (reason, scope) => profile.revokes?.(reason, scope) ?? true,
    accessToken: (kind) => accessTokenRemedy(profile, kind),
    authorizationError(error, untrustedDescription) {
      return isUnknownAudience(error, untrustedDescription)
        ? `The provider does not know the API audience. ${profile.audience}`
        : undefined
    },
  }
}

function accessTokenRemedy(profile: ProviderProfile, kind: AccessTokenFault['kind']): string {
  if (kind === 'symmetric') return profile.signing
  return kind === 'encrypted' ? (profile.encrypted ?? profile.audience) : profile.audience
}

/** Auth0's answer to an audience that is not registered, which its simulators repeat; RFC 8707's; and Entra's. */
export function isUnknownAudience(error: string, untrustedDescription: string): boolean {
  if (error === 'invalid_target' || /\bAADSTS500011\b/.test(untrustedDescription)) return true
  return error === 'access_denied' && /^Service not (?:found|enabled)/.test(untrustedDescription)
}
