import { createUnderWay } from '../../basics/under-way.ts'
import { createBreaker } from '../../network/breaker.ts'
import { createNonceMemory } from '../../signing/nonces.ts'
import { adviseOnStray } from '../login/advice.ts'
import { checkAuthorizationResponse, plainState } from '../login/authorization-response.ts'
import { completeLogin } from '../login/callback.ts'
import { beginLogin } from '../login/login.ts'
import { pushesLogins } from '../login/request.ts'
import { unverifiedState, verifySignedResponse } from '../login/signed-response.ts'
import { endSessionUrl, revoke } from '../logout/logout.ts'
import { verifyLogoutToken } from '../logout/logout-token.ts'
import { clientToken } from '../tokens/client-credentials.ts'
import { exchangeToken } from '../tokens/exchange.ts'
import { refresh } from '../tokens/refresh.ts'
import { readVerifiedClaims } from '../verification/access-token-claims.ts'
import { verifyBearerToken } from '../verification/bearer-token.ts'
import { createProviderKeys } from '../verification/keys/keys.ts'
import { createOidcClient } from './client.ts'
import type { ProviderContext } from './context.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'
import type { Provider } from './provider.ts'

/** Creates the OpenID Provider's face to the gateway, and starts discovering it in the background. */
export function createProvider(options: ProviderOptions, given: ProviderDependencies): Provider {
  const dependencies = { ...given, nonces: given.nonces ?? createNonceMemory() }
  const client = createOidcClient(options, dependencies)
  const keys = createProviderKeys(client, options, dependencies)
  const context: ProviderContext = {
    options,
    client,
    keys,
    pushBreaker: createBreaker(dependencies.now),
    revocations: createUnderWay(),
    ...dependencies,
  }
  const isSigned = options.responseMode === 'jwt'
  return {
    issuer: options.issuerUrl,
    status: () => client.status(),
    clientKeys: () => client.clientKeys.published(),
    pushesLogins: () => pushesLogins(options, client.current()?.serverMetadata()),
    beginLogin: (request) => beginLogin(context, request),
    // One that is not signed as it should be is refused by name, once its login is found.
    stateOf: async (untrustedAnswer, admit) =>
      isSigned ? unverifiedState(context, untrustedAnswer, admit) : plainState(untrustedAnswer),
    async checkAuthorizationResponse(untrustedAnswer, transaction) {
      const metadata = (await client.configuration()).serverMetadata()
      const answer = isSigned ? await verifySignedResponse(context, untrustedAnswer) : untrustedAnswer
      checkAuthorizationResponse(context, metadata, answer, transaction)
      return answer
    },
    adviseOnStray: (words) => adviseOnStray(context, words),
    completeLogin: (checkedAnswer, transaction) => completeLogin(context, checkedAnswer, transaction),
    refresh: (request) => refresh(context, request),
    exchange: (request) => exchangeToken(context, request),
    clientToken: (api) => clientToken(context, api),
    verifyBearer: (untrustedToken, rule) => verifyBearerToken(context, untrustedToken, rule),
    readVerifiedClaims: (token, audience) => readVerifiedClaims(context, token, audience),
    endSessionUrl: (request) => endSessionUrl(context, request),
    revoke: (refreshToken, reason) => revoke(context, refreshToken, reason),
    verifyLogoutToken: (untrustedToken, namesSession) =>
      verifyLogoutToken(context, untrustedToken, namesSession),
    async close() {
      await context.revocations.finished()
      client.close()
    },
  }
}
