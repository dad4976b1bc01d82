import { readKeyMaterial } from './kinds/private-keys.ts'
import { isFapiAlgorithm } from './profile.ts'
import { type ConfigRule, rule } from './rule.ts'
import type { SettingValues } from './settings.ts'

type Method = SettingValues['clientAuthentication']

const fapiMethods: ReadonlySet<Method> = new Set([
  'auto',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
])

const contradicts = (profile: SettingValues['securityProfile']): string =>
  `contradicts SECURITY_PROFILE=${profile}`

/** What contradicts a security profile; what is left out is set by it. */
export const profileRules: readonly ConfigRule[] = [
  rule(['PUSHED_AUTHORIZATION_REQUESTS', 'SECURITY_PROFILE'], (values) =>
    values.securityProfile === 'none' || values.pushedAuthorizationRequests === 'on'
      ? undefined
      : `${contradicts(values.securityProfile)}, which pushes every login: leave it out`,
  ),
  rule(['CLIENT_AUTHENTICATION', 'SECURITY_PROFILE'], (values) =>
    values.securityProfile === 'none' || fapiMethods.has(values.clientAuthentication)
      ? undefined
      : `${contradicts(values.securityProfile)}, which takes private_key_jwt and mutual TLS alone`,
  ),
  rule(
    ['CLIENT_KEY', 'SECURITY_PROFILE', 'CLIENT_CERTIFICATE', 'CLIENT_AUTHENTICATION', 'CLIENT_SECRET'],
    ({
      securityProfile: profile,
      clientAuthentication: method,
      clientKey,
      clientCertificate,
      clientSecret,
    }) => {
      if (profile === 'none' || clientKey !== undefined || method !== 'auto') return undefined
      if (clientCertificate === undefined)
        return `is missing (or CLIENT_CERTIFICATE), which SECURITY_PROFILE=${profile} needs`
      return clientSecret === undefined
        ? undefined
        : `is missing, and a CLIENT_SECRET beside the certificate ${contradicts(profile)}: remove it, or name the CLIENT_AUTHENTICATION`
    },
  ),
  rule(['CLIENT_ASSERTION_FILE', 'SECURITY_PROFILE'], ({ securityProfile, clientAssertionFile }) =>
    securityProfile === 'none' || clientAssertionFile === undefined
      ? undefined
      : `${contradicts(securityProfile)}, which takes private_key_jwt and mutual TLS alone: remove it`,
  ),
  rule(['CLIENT_KEY', 'SECURITY_PROFILE'], ({ securityProfile, clientKey }) => {
    if (securityProfile === 'none' || clientKey === undefined) return undefined
    const foreign = readKeyMaterial(clientKey).find(
      ({ algorithm }) => algorithm !== undefined && !isFapiAlgorithm(algorithm),
    )
    return foreign === undefined
      ? undefined
      : `is marked for ${foreign.algorithm}, which ${contradicts(securityProfile)}: PS256, ES256 and EdDSA are its algorithms`
  }),
  rule(['TOKEN_BINDING', 'SECURITY_PROFILE'], ({ securityProfile, tokenBinding }) =>
    securityProfile === 'none' || tokenBinding !== 'none'
      ? undefined
      : `${contradicts(securityProfile)}, which binds tokens to us: dpop, or mtls`,
  ),
  rule(['ID_TOKEN_ALGORITHM', 'SECURITY_PROFILE'], ({ securityProfile, idTokenAlgorithm = [] }) => {
    const foreign = idTokenAlgorithm.find((name) => !isFapiAlgorithm(name))
    return securityProfile === 'none' || foreign === undefined
      ? undefined
      : `names ${foreign}, which ${contradicts(securityProfile)}: PS256, ES256 and EdDSA are its algorithms`
  }),
  rule(['REQUEST_OBJECT', 'SECURITY_PROFILE'], ({ securityProfile, requestObject }) =>
    securityProfile !== 'fapi2-message-signing' || requestObject === 'signed'
      ? undefined
      : `${contradicts(securityProfile)}, which signs every request`,
  ),
  rule(['RESPONSE_MODE', 'SECURITY_PROFILE'], ({ securityProfile, responseMode }) =>
    securityProfile !== 'fapi2-message-signing' || responseMode === 'jwt'
      ? undefined
      : `${contradicts(securityProfile)}, whose responses are signed`,
  ),
]
