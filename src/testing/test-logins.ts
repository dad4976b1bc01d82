import { createHash, randomUUID } from 'node:crypto'
import type { TestKeys } from './test-keys.ts'
import type { TestUser } from './test-user.ts'

/** The endpoints of a provider that signs in whoever comes, without their transport. */
export interface TestLogins {
  /** Where the browser goes from the authorization endpoint. */
  authorize(untrusted: URLSearchParams): URL
  /** The token endpoint. */
  token(untrusted: URLSearchParams): {
    readonly status: number
    readonly body: Readonly<Record<string, unknown>>
  }
  /** Where the browser goes from the end-session endpoint. */
  endSession(untrusted: URLSearchParams): URL
}

/** What logins are made of. */
export interface TestLoginsOptions {
  readonly issuer: string
  readonly keys: TestKeys
  readonly users: readonly [TestUser, ...TestUser[]]
  readonly accessToken: (user: TestUser) => string
  readonly lifeSeconds: number
}

/** What a code or a refresh token stands for. */
interface Grant {
  readonly user: TestUser
  readonly clientId: string
  readonly nonce: string | undefined
  readonly sid: string
  /** `undefined` for a refresh token. */
  readonly challenge: string | undefined
}

/** Makes the logins of one provider; codes and refresh tokens work once. */
export function createTestLogins(options: TestLoginsOptions): TestLogins {
  const { issuer, users } = options
  const grants = new Map<string, Grant>()
  const keep = (grant: Grant): string => {
    const name = randomUUID()
    grants.set(name, grant)
    return name
  }
  return {
    authorize(untrusted) {
      const hint = untrusted.get('login_hint')
      const user = hint === null ? users[0] : users.find(({ sub }) => sub === hint)
      const grant = {
        clientId: untrusted.get('client_id') ?? '',
        nonce: untrusted.get('nonce') ?? undefined,
        sid: randomUUID(),
        challenge: untrusted.get('code_challenge') ?? '',
      }
      const outcome: Readonly<Record<string, string>> =
        user === undefined
          ? { error: 'access_denied', error_description: 'There is no such test user.' }
          : { code: keep({ ...grant, user }) }
      return backTo(untrusted.get('redirect_uri'), { ...outcome, iss: issuer }, untrusted.get('state'))
    },
    token(untrusted) {
      const name = untrusted.get('code') ?? untrusted.get('refresh_token') ?? ''
      const grant = grants.get(name)
      grants.delete(name)
      if (grant === undefined || !isProven(grant, untrusted.get('code_verifier'))) {
        return { status: 400, body: { error: 'invalid_grant' } }
      }
      const refreshToken = keep({ ...grant, challenge: undefined, nonce: undefined })
      return { status: 200, body: tokensOf(options, grant, refreshToken) }
    },
    endSession: (untrusted) =>
      backTo(untrusted.get('post_logout_redirect_uri') ?? issuer, {}, untrusted.get('state')),
  }
}

function backTo(
  address: string | null,
  parameters: Readonly<Record<string, string>>,
  state: string | null,
): URL {
  const url = new URL(address ?? '')
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  if (state !== null) url.searchParams.set('state', state)
  return url
}

/** PKCE (RFC 7636 section 4.6). */
function isProven({ challenge }: Grant, verifier: string | null): boolean {
  if (challenge === undefined) return true
  return (
    createHash('sha256')
      .update(verifier ?? '')
      .digest('base64url') === challenge
  )
}

function tokensOf(
  { issuer, keys, accessToken, lifeSeconds }: TestLoginsOptions,
  { user, clientId, nonce, sid }: Grant,
  refreshToken: string,
): Readonly<Record<string, unknown>> {
  const iat = Math.floor(Date.now() / 1_000)
  const idToken = {
    ...user,
    iss: issuer,
    aud: clientId,
    sid,
    iat,
    auth_time: iat,
    exp: iat + lifeSeconds,
    nonce,
  }
  return {
    access_token: accessToken(user),
    token_type: 'Bearer',
    expires_in: lifeSeconds,
    refresh_token: refreshToken,
    id_token: keys.sign('JWT', idToken),
  }
}
