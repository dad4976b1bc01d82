import type { Check } from './check.ts'
import { accessTokenAlgorithmCheck } from './checks/access-token-algorithm.ts'
import { accessTokenAudienceCheck } from './checks/access-token-audience.ts'
import { accessTokenFormatCheck } from './checks/access-token-format.ts'
import { accessTokenIssuerCheck } from './checks/access-token-issuer.ts'
import { accessTokenLifetimeCheck } from './checks/access-token-lifetime.ts'
import { accessTokenPermissionsCheck } from './checks/access-token-permissions.ts'
import { accessTokenScopeCheck } from './checks/access-token-scope.ts'
import { accessTokenSignatureCheck } from './checks/access-token-signature.ts'
import { accessTokenSubjectCheck } from './checks/access-token-subject.ts'
import { audienceCheck } from './checks/audience.ts'
import { baseUrlCheck } from './checks/base-url.ts'
import { clientCheck } from './checks/client.ts'
import { clientAuthenticationCheck, clientSecretCheck } from './checks/client-authentication.ts'
import { clockProviderCheck } from './checks/clock-provider.ts'
import { clockRedisCheck } from './checks/clock-redis.ts'
import { clockTokenCheck } from './checks/clock-token.ts'
import { discoveryCheck } from './checks/discovery.ts'
import { discoveryBackchannelCheck } from './checks/discovery-backchannel.ts'
import { discoveryClientCheck } from './checks/discovery-client.ts'
import { discoveryEndSessionCheck } from './checks/discovery-end-session.ts'
import { discoveryEndpointsCheck } from './checks/discovery-endpoints.ts'
import { discoveryKeysCheck } from './checks/discovery-keys.ts'
import { discoveryParCheck } from './checks/discovery-par.ts'
import { discoveryPkceCheck } from './checks/discovery-pkce.ts'
import { discoveryResponseIssuerCheck } from './checks/discovery-response-issuer.ts'
import { discoveryRevocationCheck } from './checks/discovery-revocation.ts'
import { idTokenClaimsCheck } from './checks/id-token-claims.ts'
import { idTokenSessionCheck } from './checks/id-token-session.ts'
import { loginCheck } from './checks/login.ts'
import { proxyForgedHeadersCheck } from './checks/proxy-forged-headers.ts'
import { proxyHeadersCheck } from './checks/proxy-headers.ts'
import { proxyLargeHeadersCheck } from './checks/proxy-large-headers.ts'
import { proxyTrustCheck } from './checks/proxy-trust.ts'
import { redirectUriCheck } from './checks/redirect-uri.ts'
import { redisEvictionCheck } from './checks/redis-eviction.ts'
import { redisPersistenceCheck } from './checks/redis-persistence.ts'
import { redisRightsCheck } from './checks/redis-rights.ts'
import { redisVersionCheck } from './checks/redis-version.ts'
import { refreshGrantCheck } from './checks/refresh-grant.ts'
import { refreshTokenCheck } from './checks/refresh-token.ts'
import { sessionStoreCheck } from './checks/session-store.ts'
import { spaCheck } from './checks/spa.ts'
import { upstreamTokenCheck } from './checks/upstream-token.ts'
import { upstreamsCheck } from './checks/upstreams.ts'

/** What is examined before anybody logs in, in the order of the report. */
export const checks: readonly Check[] = [
  discoveryCheck,
  discoveryEndpointsCheck,
  discoveryKeysCheck,
  discoveryPkceCheck,
  discoveryParCheck,
  discoveryClientCheck,
  discoveryResponseIssuerCheck,
  discoveryEndSessionCheck,
  discoveryRevocationCheck,
  discoveryBackchannelCheck,
  clockProviderCheck,
  clientCheck,
  redirectUriCheck,
  audienceCheck,
  clientSecretCheck,
  clientAuthenticationCheck,
  refreshGrantCheck,
  sessionStoreCheck,
  redisVersionCheck,
  redisEvictionCheck,
  redisPersistenceCheck,
  redisRightsCheck,
  clockRedisCheck,
  upstreamsCheck,
  spaCheck,
  baseUrlCheck,
  proxyHeadersCheck,
  proxyLargeHeadersCheck,
  proxyTrustCheck,
  proxyForgedHeadersCheck,
]

/** What one real login shows (`--login`). */
export const loginChecks: readonly Check[] = [
  loginCheck,
  accessTokenFormatCheck,
  accessTokenAlgorithmCheck,
  accessTokenSignatureCheck,
  accessTokenIssuerCheck,
  accessTokenAudienceCheck,
  accessTokenSubjectCheck,
  accessTokenLifetimeCheck,
  accessTokenScopeCheck,
  accessTokenPermissionsCheck,
  refreshTokenCheck,
  idTokenSessionCheck,
  idTokenClaimsCheck,
  clockTokenCheck,
  upstreamTokenCheck,
]
