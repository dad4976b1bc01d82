import type {
  ClientCertificate,
  ClientCertificates,
} from '../../oidc/client-authentication/client-certificate.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { AccessTokens } from '../../session/lifecycle/sessions.ts'
import type { SessionView } from '../../session/record/session.ts'

/** The certificates that APIs are shown (RFC 8705 section 3): a token that is bound to one is worth nothing beside another. */
export interface UpstreamCertificates {
  /** The certificate that goes with a token; `undefined`: that of the route. */
  certificateFor(
    session: SessionView | undefined,
    token: AccessToken | undefined,
  ): ClientCertificate | undefined
}

/** Makes them. @param isBinding whether tokens are bound to certificates now; sessions from before go by their record */
export function createUpstreamCertificates(
  certificates: ClientCertificates | undefined,
  isBinding: boolean,
): UpstreamCertificates | undefined {
  if (certificates === undefined) return undefined
  return {
    certificateFor(session, token) {
      if (token === undefined) return undefined
      // Whoever's token it is; one that is bound to a key names no certificate.
      const own = token.boundTo === undefined ? undefined : certificates.find(token.boundTo)
      if (own !== undefined) return own
      const isBound = token.boundTo !== undefined && session?.binding?.kind === 'mtls'
      return isBound || isBinding ? certificates.current() : undefined
    },
  }
}

/**
 * Tokens of sessions as they may be sent. One whose certificate is no longer ours is of no use any more, so another one is got, at most one a
 * minute for each session; where none comes the API says what it thinks of the old one.
 */
export function withLivingCertificates<Tokens extends Pick<AccessTokens, 'get' | 'cure'>>(
  tokens: Tokens,
  certificates: ClientCertificates | undefined,
): Tokens {
  if (certificates === undefined) return tokens
  const isAlive = (session: SessionView, { boundTo }: AccessToken): boolean =>
    boundTo === undefined || session.binding?.kind !== 'mtls' || certificates.find(boundTo) !== undefined
  return {
    ...tokens,
    get(sessionId, session, audience) {
      const found = tokens.get(sessionId, session, audience)
      if (!(found instanceof Promise) && isAlive(session, found)) return found
      return Promise.resolve(found).then(async (token) => {
        if (isAlive(session, token)) return token
        return (await tokens.cure(sessionId, session, audience, token, 0)) ?? token
      })
    },
  }
}
