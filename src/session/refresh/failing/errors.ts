import { GatewayError } from '../../../errors/gateway-error.ts'

/** Somebody else is at it, or was, and does not come to an end. */
export function takesTooLong(): GatewayError {
  return new GatewayError('provider_unavailable', {
    retryAfterSeconds: 1,
    context: { reason: 'a refresh of this session takes too long' },
  })
}

/** The last write's result is not known yet; until then nothing may be done with this session's tokens. */
export function notSettled(): GatewayError {
  return new GatewayError('session_store_unavailable', {
    retryAfterSeconds: 1,
    context: { reason: 'the store has not confirmed a refresh yet' },
  })
}

/** There is no refresh token to get a token for a further API with. */
export function noRefreshToken(): GatewayError {
  return new GatewayError('provider_rejected', {
    detail: 'The provider issued no refresh token, so no access token for this API could be had.',
  })
}
