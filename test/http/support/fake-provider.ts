import { GatewayError } from '../../../src/errors/gateway-error.ts'
import { LogoutTokenError } from '../../../src/oidc/logout/logout-token.ts'
import type { CompletedLogin, LoginTransaction, Provider } from '../../../src/oidc/provider/provider.ts'
import type { PublishedKey } from '../../../src/signing/signing-keys.ts'
import { startMs } from './fake-sessions.ts'

/** A provider that answers at once and remembers what it was asked. */
export interface FakeProvider {
  readonly provider: Provider
  readonly calls: string[]
  readonly begun: LoginTransaction[]
  readonly parameters: Readonly<Record<string, string>>[]
  ready: boolean
  /** Thrown by the push of a login. */
  pushFailure: GatewayError | undefined
  /** Thrown by the check of the authorization response. */
  refusal: GatewayError | undefined
  /** Thrown by the token request. */
  tokenFailure: GatewayError | undefined
  hasEndSession: boolean
  readonly keys: PublishedKey[]
}

const completed: CompletedLogin = {
  identity: {
    issuer: 'https://issuer.example/',
    subject: 'user-1',
    providerSessionId: 'sid-1',
    loginIssuedAtSeconds: startMs / 1_000,
    authTimeSeconds: undefined,
    acr: undefined,
    claims: { sub: 'user-1', name: 'Ada' },
  },
  idToken: 'the-id-token',
  refreshToken: 'the-refresh-token',
  accessToken: { value: 'the-access-token', obtainedAtMs: startMs, expiresAtMs: startMs + 600_000 },
  sessionExpirySeconds: undefined,
}

/** Creates the fake. */
export function createFakeProvider(now: () => number): FakeProvider {
  let counter = 0
  const fake: FakeProvider = {
    calls: [],
    begun: [],
    parameters: [],
    ready: true,
    pushFailure: undefined,
    refusal: undefined,
    tokenFailure: undefined,
    hasEndSession: true,
    keys: [],
    provider: undefined as never,
  }
  const provider: Provider = {
    issuer: 'https://issuer.example/',
    status: () => ({ ready: fake.ready, reason: fake.ready ? undefined : 'discovery has not succeeded' }),
    clientKeys: () => fake.keys,
    pushesLogins: () => false,
    beginLogin: async ({ returnTo, parameters, endsSession }) => {
      fake.calls.push('beginLogin')
      if (!fake.ready) throw new GatewayError('provider_unavailable')
      if (fake.pushFailure !== undefined) throw fake.pushFailure
      const state = `state${counter++}`
        .padEnd(43, 'x')
        .replace(/^state(\d+)/, (_all, n) => `${n}state`.padEnd(8, '_'))
      const transaction: LoginTransaction = {
        state,
        nonce: 'nonce',
        codeVerifier: 'verifier',
        returnTo,
        startedAtMs: now(),
        maxAgeSeconds: undefined,
        acrValues: undefined,
        endsSession,
      }
      fake.begun.push(transaction)
      fake.parameters.push(parameters)
      return { url: new URL(`https://issuer.example/authorize?state=${state}`), transaction }
    },
    stateOf: async (untrustedAnswer) => new URLSearchParams(untrustedAnswer).get('state') ?? undefined,
    checkAuthorizationResponse: async (untrustedAnswer) => {
      fake.calls.push('checkAuthorizationResponse')
      if (fake.refusal !== undefined) throw fake.refusal
      return untrustedAnswer
    },
    adviseOnStray: () => undefined,
    completeLogin: async () => {
      fake.calls.push('completeLogin')
      if (fake.tokenFailure !== undefined) throw fake.tokenFailure
      return completed
    },
    refresh: async () => ({ kind: 'refused', error: 'invalid_grant', isCertain: true }),
    exchange: async () => ({ kind: 'rejected', error: 'unauthorized_client' }),
    clientToken: async () => ({ kind: 'rejected', error: 'unauthorized_client' }),
    verifyBearer: async () => {
      throw new GatewayError('provider_unavailable')
    },
    readVerifiedClaims: async () => ({}),
    revoke: async (token) => {
      fake.calls.push(`revoke ${token}`)
      return true
    },
    endSessionUrl: ({ idToken, state }) =>
      fake.hasEndSession
        ? new URL(
            `https://issuer.example/logout?${idToken === undefined ? '' : `id_token_hint=${idToken}&`}state=${state}`,
          )
        : undefined,
    verifyLogoutToken: async (untrusted) => {
      if (untrusted === 'keys') throw new GatewayError('provider_unavailable')
      if (untrusted !== 'good') throw new LogoutTokenError('The token is not signed by the provider.')
      return {
        issuer: 'https://issuer.example/',
        subject: 'user-1',
        providerSessionId: 'sid-1',
        issuedAtSeconds: startMs / 1_000,
        jti: 'jti-1',
      }
    },
    close: async () => undefined,
  }
  return Object.assign(fake, { provider })
}
