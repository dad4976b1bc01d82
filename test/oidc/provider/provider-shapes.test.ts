import { afterEach, describe, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { logIn, openProvider } from '../../support/provider/scripted-login.ts'
import {
  type ScriptedFaults,
  type ScriptedProvider,
  startScriptedProvider,
} from '../../support/provider/scripted-provider.ts'

type Members = Record<string, unknown>

/** What one kind of provider does in its own way; what it leaves out is as everywhere. */
interface Shape {
  readonly path?: string
  /** The audience that the API has there. */
  readonly api: string
  readonly options: Partial<ProviderOptions>
  readonly metadata?: (origin: string) => Members
  readonly idToken?: Members
  readonly refreshedIdToken?: Members
  readonly accessToken: Members | string
  readonly answer?: Members
  readonly refreshedAnswer?: Members
  /** Parameters that must reach the token endpoint, and the end-session page. */
  readonly endSession: Readonly<Record<string, string>> | undefined
}

const none = { key: 'api', value: undefined, parameter: 'none', scope: undefined } as const
const endPage = (origin: string) => ({ end_session_endpoint: `${origin}/logout` })
const back = 'http://127.0.0.1:3999/logout/callback'
const standard = { client_id: 'gateway', post_logout_redirect_uri: back }

const shapes: Readonly<Record<string, Shape>> = {
  Auth0: {
    path: '/',
    api: 'https://api.example.test',
    options: {},
    metadata: (origin) => ({
      token_endpoint: `${origin}/oauth/token`,
      mfa_challenge_endpoint: `${origin}/mfa/challenge`,
      id_token_signing_alg_values_supported: ['HS256', 'RS256', 'PS256'],
    }),
    refreshedIdToken: { sid: undefined, amr: undefined },
    accessToken: {
      aud: ['https://api.example.test', 'https://x.auth0.com/userinfo'],
      azp: 'gateway',
      permissions: ['a'],
    },
    answer: { scope: 'openid offline_access' },
    endSession: { client_id: 'gateway', returnTo: back },
  },
  Keycloak: {
    path: '/realms/shop',
    api: 'orders-api',
    options: { audience: { ...none, accepted: ['orders-api'] } },
    metadata: (origin) => ({ ...endPage(origin), backchannel_logout_supported: true }),
    idToken: { typ: 'ID', azp: 'gateway', acr: '1', jti: 'x', auth_time: 1 },
    accessToken: {
      typ: 'Bearer',
      aud: ['orders-api', 'account'],
      azp: 'gateway',
      realm_access: { roles: [] },
    },
    answer: {
      'not-before-policy': 0,
      session_state: 'sid-1',
      refresh_expires_in: 1_800,
      scope: 'openid profile',
    },
    endSession: standard,
  },
  'Microsoft Entra ID': {
    path: '/00000000-0000-0000-0000-000000000001/v2.0',
    api: '00000000-0000-0000-0000-00000000000a',
    options: { audience: { ...none, accepted: ['00000000-0000-0000-0000-00000000000a'] } },
    metadata: (origin) => ({ ...endPage(origin), revocation_endpoint: undefined, tenant_region_scope: null }),
    idToken: { ver: '2.0', tid: 't', oid: 'o', rh: 'x', uti: 'y', aio: 'z', nbf: 1 },
    accessToken: {
      aud: '00000000-0000-0000-0000-00000000000a',
      ver: '2.0',
      scp: 'access_as_user',
      azp: 'gateway',
    },
    answer: { ext_expires_in: 4_000, scope: 'api://a/access_as_user' },
    endSession: standard,
  },
  Okta: {
    path: '/oauth2/default',
    api: 'api://default',
    options: { audience: { ...none, accepted: ['api://default'] } },
    metadata: endPage,
    idToken: { ver: 1, amr: ['pwd'], idp: 'x', jti: 'ID.x' },
    accessToken: { aud: 'api://default', cid: 'gateway', uid: 'u', scp: ['openid'], ver: 1 },
    refreshedAnswer: { refresh_token: undefined },
    endSession: standard,
  },
  'Amazon Cognito': {
    path: '/eu-west-1_x',
    api: 'not-used',
    options: {
      audience: { ...none, accepted: ['not-used'] },
      accessTokenFormat: 'jwt-without-aud',
      endSessionUrl: new URL(
        `https://shop.auth.eu-west-1.amazoncognito.com/logout?logout_uri=${encodeURIComponent(back)}`,
      ),
    },
    idToken: { token_use: 'id', 'cognito:username': 'a', sid: undefined, origin_jti: 'x', event_id: 'y' },
    accessToken: { aud: undefined, client_id: 'gateway', token_use: 'access', version: 2, scope: 'openid' },
    refreshedAnswer: { refresh_token: undefined },
    endSession: { logout_uri: back, client_id: 'gateway' },
  },
  Google: {
    api: 'not-used',
    options: { audience: { ...none, accepted: ['not-used'] }, accessTokenFormat: 'any' },
    idToken: { azp: 'gateway', sid: undefined, hd: 'example.test' },
    accessToken: 'ya29.a0AfB_opaque-1234567',
    refreshedAnswer: { refresh_token: undefined, refresh_token_expires_in: 604_799 },
    endSession: undefined,
  },
  Zitadel: {
    api: '171234567890',
    options: { audience: { ...none, accepted: ['171234567890'] } },
    metadata: endPage,
    idToken: {
      aud: ['gateway', '161234567890', '171234567890'],
      azp: 'gateway',
      amr: ['pwd'],
      client_id: 'gateway',
    },
    accessToken: { aud: ['gateway', '161234567890', '171234567890'], nbf: 1 },
    endSession: standard,
  },
  authentik: {
    path: '/application/o/shop/',
    api: 'gateway',
    options: { audience: { ...none, accepted: ['gateway'] } },
    metadata: endPage,
    idToken: { acr: 'goauthentik.io/providers/oauth2/default', amr: ['pwd'], uid: 'x' },
    accessToken: { aud: 'gateway', azp: 'gateway', uid: 'x' },
    endSession: standard,
  },
}

function faultsOf(shape: Shape, origin: string): ScriptedFaults {
  let isRefresh = false
  const { accessToken } = shape
  return {
    discovery: (metadata) => ({ ...metadata, ...shape.metadata?.(origin) }),
    accessToken: (claims, _header, form) => {
      isRefresh = form.get('grant_type') === 'refresh_token'
      if (typeof accessToken === 'string') return accessToken
      Object.assign(claims, accessToken)
      return undefined
    },
    idToken: (claims) => {
      Object.assign(claims, shape.idToken, isRefresh ? { nonce: undefined, ...shape.refreshedIdToken } : {})
    },
    token: (answer) => ({
      body: { ...answer, ...shape.answer, ...(isRefresh ? shape.refreshedAnswer : {}) },
    }),
  }
}

let scripted: ScriptedProvider
let provider: Provider

afterEach(async () => {
  await provider.close()
  await scripted.stop()
})

async function open(shape: Shape, options: Partial<ProviderOptions> = {}): Promise<void> {
  scripted = await startScriptedProvider({ path: shape.path ?? '', audience: shape.api })
  Object.assign(scripted.faults, faultsOf(shape, new URL(scripted.issuer).origin))
  provider = openProvider(scripted, { ...shape.options, ...options })
}

describe.each(Object.entries(shapes))('a provider like %s', (_name, shape) => {
  it('serves a login, two refreshes and a logout', async () => {
    await open(shape)
    const login = await logIn(scripted, provider)
    expect(login.identity.subject).toBe('alice')
    const audience = shape.options.audience ?? { ...none, accepted: [shape.api] }
    let refreshToken = login.refreshToken ?? ''
    for (let round = 0; round < 2; round += 1) {
      const outcome = await provider.refresh({ refreshToken, identity: login.identity, audience })
      expect(outcome).toMatchObject({ kind: 'refreshed', identity: login.identity })
      if (outcome.kind === 'refreshed') refreshToken = outcome.refreshToken ?? refreshToken
    }
    const { idToken, identity } = login
    const url = provider.endSessionUrl({ idToken, identity, state: 's' })
    const parameters = url === undefined ? undefined : Object.fromEntries(url.searchParams)
    if (shape.endSession === undefined) expect(parameters).toBeUndefined()
    else expect(parameters).toMatchObject(shape.endSession)
  })
})

describe('what first goes wrong with', () => {
  it.each<readonly [string, string, Members | string, string]>([
    ['Keycloak, without the mapper', 'Keycloak', { aud: 'account' }, 'Audience mapper'],
    [
      'Entra, without a scope of the API',
      'Microsoft Entra ID',
      { aud: '00000003-0000-0000-c000-000000000000' },
      'No audience was sent',
    ],
    ['Okta, with the org server', 'Okta', { aud: 'https://org.okta.com' }, 'No audience was sent'],
    ['Zitadel, with opaque tokens', 'Zitadel', 'V2_1234567890-opaque', 'opaque string'],
    ['authentik, with another audience', 'authentik', { aud: 'other' }, 'the client id'],
    ['Cognito, with a token of another client', 'Amazon Cognito', { client_id: 'other' }, 'another client'],
  ])('%s, is named at login', async (_name, name, accessToken, words) => {
    const shape = shapes[name]
    if (shape === undefined) throw new Error(name)
    const changed =
      typeof accessToken === 'string' ? accessToken : { ...Object(shape.accessToken), ...accessToken }
    await open({ ...shape, accessToken: changed })
    await expect(logIn(scripted, provider)).rejects.toMatchObject({
      code: 'access_token_unusable',
      detail: expect.stringContaining(words),
    })
  })
})
