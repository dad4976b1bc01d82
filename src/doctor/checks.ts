import type { Check } from './check.ts'
import { clientCheck } from './checks/client.ts'
import { clientAuthenticationCheck, clientSecretCheck } from './checks/client-authentication.ts'
import { clockProviderCheck } from './checks/clock-provider.ts'
import { clockTokenCheck } from './checks/clock-token.ts'
import { discoveryCheck } from './checks/discovery/discovery.ts'
import { discoveryBackchannelCheck } from './checks/discovery/discovery-backchannel.ts'
import { discoveryClientCheck } from './checks/discovery/discovery-client.ts'
import { discoveryEndSessionCheck } from './checks/discovery/discovery-end-session.ts'
import { discoveryEndpointsCheck } from './checks/discovery/discovery-endpoints.ts'
import { discoveryKeysCheck } from './checks/discovery/discovery-keys.ts'
import { discoveryParCheck } from './checks/discovery/discovery-par.ts'
import { discoveryPkceCheck } from './checks/discovery/discovery-pkce.ts'
import { discoveryResponseIssuerCheck } from './checks/discovery/discovery-response-issuer.ts'
import { discoveryRevocationCheck } from './checks/discovery/discovery-revocation.ts'
import { baseUrlCheck } from './checks/front/base-url.ts'
import { proxyForgedHeadersCheck } from './checks/front/proxy-forged-headers.ts'
import { proxyHeadersCheck } from './checks/front/proxy-headers.ts'
import { proxyLargeHeadersCheck } from './checks/front/proxy-large-headers.ts'
import { proxyTrustCheck } from './checks/front/proxy-trust.ts'
import { spaCheck } from './checks/front/spa.ts'
import { loginCheck } from './checks/login.ts'
import { redirectUriCheck } from './checks/redirect-uri.ts'
import { clockRedisCheck } from './checks/store/clock-redis.ts'
import { redisEvictionCheck } from './checks/store/redis-eviction.ts'
import { redisPersistenceCheck } from './checks/store/redis-persistence.ts'
import { redisRightsCheck } from './checks/store/redis-rights.ts'
import { redisVersionCheck } from './checks/store/redis-version.ts'
import { sessionStoreCheck } from './checks/store/session-store.ts'
import { accessTokenAlgorithmCheck } from './checks/tokens/access-token-algorithm.ts'
import { accessTokenAudienceCheck } from './checks/tokens/access-token-audience.ts'
import { accessTokenFormatCheck } from './checks/tokens/access-token-format.ts'
import { accessTokenIssuerCheck } from './checks/tokens/access-token-issuer.ts'
import { accessTokenLifetimeCheck } from './checks/tokens/access-token-lifetime.ts'
import { accessTokenPermissionsCheck } from './checks/tokens/access-token-permissions.ts'
import { accessTokenScopeCheck } from './checks/tokens/access-token-scope.ts'
import { accessTokenSignatureCheck } from './checks/tokens/access-token-signature.ts'
import { accessTokenSubjectCheck } from './checks/tokens/access-token-subject.ts'
import { idTokenClaimsCheck } from './checks/tokens/id-token-claims.ts'
import { idTokenSessionCheck } from './checks/tokens/id-token-session.ts'
import { refreshGrantCheck } from './checks/tokens/refresh-grant.ts'
import { refreshTokenCheck } from './checks/tokens/refresh-token.ts'
import { routeClaimsCheck } from './checks/tokens/route-claims.ts'
import { audienceCheck } from './checks/upstreams/audience.ts'
import { upstreamTokenCheck } from './checks/upstreams/upstream-token.ts'
import { upstreamsCheck } from './checks/upstreams/upstreams.ts'

/** What happens to a browser's request on its way here (`--front`). */
export const frontChecks: readonly Check[] = [
  baseUrlCheck,
  proxyHeadersCheck,
  proxyLargeHeadersCheck,
  proxyTrustCheck,
  proxyForgedHeadersCheck,
]

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
  ...frontChecks,
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
  routeClaimsCheck,
  clockTokenCheck,
  upstreamTokenCheck,
]
