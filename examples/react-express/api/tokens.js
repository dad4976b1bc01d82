import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

/**
 * Takes access tokens of this issuer for this audience, and nothing else. The gateway sends one with every call.
 *
 * @param {{ issuer: string, audience: string }} options the issuer to the letter: at Auth0 it ends in a slash
 */
export function verifyTokens({ issuer, audience }) {
  let keys
  return async (request, response, next) => {
    const [scheme, token = ''] = (request.headers.authorization ?? '').split(' ')
    if (scheme !== 'Bearer') return refuse(response, 401, '')
    try {
      keys ??= createRemoteJWKSet(new URL(await jwksUri(issuer)))
      const options = {
        issuer,
        audience,
        algorithms: ['RS256', 'ES256', 'PS256'],
        requiredClaims: ['sub', 'exp'],
      }
      const { payload } = await jwtVerify(token, keys, options)
      response.locals.token = payload
    } catch (error) {
      // A key set that cannot be fetched is our trouble, and no reason to sign anybody out.
      const isTokenFault = error instanceof errors.JOSEError && error.code !== 'ERR_JWKS_TIMEOUT'
      if (!isTokenFault)
        return response.status(503).json({ error: 'the keys of the provider cannot be fetched' })
      return refuse(response, 401, `error="invalid_token", error_description="${error.code}"`)
    }
    next()
  }
}

/** 403 for a right that is missing: a 401 would make the app sign in again, which brings no right. */
export const requirePermission = (permission) => (_request, response, next) => {
  const { permissions = [], scope = '' } = response.locals.token
  if ([...permissions, ...scope.split(' ')].includes(permission)) return next()
  refuse(response, 403, `error="insufficient_scope", scope="${permission}"`)
}

function refuse(response, status, challenge) {
  response.status(status).set('WWW-Authenticate', `Bearer ${challenge}`.trim()).json({ status })
}

async function jwksUri(issuer) {
  const answer = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  return (await answer.json()).jwks_uri
}
