import { afterEach, describe, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import type { Identity } from '../../../src/oidc/tokens/token-set.ts'
import { openProvider } from '../../support/provider/scripted-login.ts'
import {
  type ScriptedAnswer,
  type ScriptedProvider,
  startScriptedProvider,
} from '../../support/provider/scripted-provider.ts'

let scripted: ScriptedProvider
let provider: Provider

afterEach(async () => {
  await provider.close()
  await scripted.stop()
})

type Members = Record<string, unknown>

async function open(
  change: (origin: string) => Members,
  options: Partial<ProviderOptions> = {},
  path = '',
): Promise<void> {
  scripted = await startScriptedProvider({ path })
  const { origin } = new URL(scripted.issuer)
  scripted.faults.discovery = (metadata) => ({ ...metadata, ...change(origin) })
  provider = openProvider(scripted, options)
  await provider.beginLogin({ returnTo: '/', parameters: {}, endsSession: undefined })
}

const identity: Identity = {
  issuer: 'https://issuer.example/',
  subject: 'alice',
  providerSessionId: 'sid-1',
  loginIssuedAtSeconds: 1,
  authTimeSeconds: undefined,
  acr: undefined,
  claims: {},
}
const back = 'http://127.0.0.1:3999/logout/callback'

function endSession(idToken = 'the.id.token', sid: string | undefined = 'sid-1'): URL | undefined {
  return provider.endSessionUrl({ idToken, identity: { ...identity, providerSessionId: sid }, state: 's1' })
}
const parametersOf = (url: URL | undefined) => Object.fromEntries(url?.searchParams ?? [])

describe('the end-session URL', () => {
  const announced = { end_session_endpoint: 'https://provider.example/logout?ui=dark' }

  it('is the announced page, its own query kept', async () => {
    await open(() => announced)
    const url = endSession()
    expect(url?.origin).toBe('https://provider.example')
    expect(parametersOf(url)).toEqual({
      ui: 'dark',
      id_token_hint: 'the.id.token',
      client_id: 'gateway',
      post_logout_redirect_uri: back,
      state: 's1',
    })
  })

  it('is the configured page, whatever is announced', async () => {
    const endSessionUrl = new URL('https://provider.example/bye?logout_uri=x')
    await open(() => announced, { endSessionUrl })
    expect(endSession()?.pathname).toBe('/bye')
    expect(parametersOf(endSession())).toMatchObject({ logout_uri: 'x', client_id: 'gateway' })
  })

  it('has the sid for a hint where the ID token is longer than 4,096 bytes', async () => {
    await open(() => announced)
    expect(parametersOf(endSession('t'.repeat(4_097)))).toMatchObject({ logout_hint: 'sid-1' })
    expect(parametersOf(endSession('t'.repeat(4_097)))).not.toHaveProperty('id_token_hint')
    expect(parametersOf(endSession('t'.repeat(4_096)))).not.toHaveProperty('logout_hint')
  })

  it('has no hint where the sid is as long', async () => {
    await open(() => announced)
    const names = Object.keys(parametersOf(endSession('t'.repeat(5_000), 's'.repeat(5_000))))
    expect(names).toEqual(['ui', 'client_id', 'post_logout_redirect_uri', 'state'])
  })

  it.each([
    [undefined],
    [null],
    [7],
    [''],
    ['nothing'],
    ['http://provider.example/logout'],
    ['javascript:alert(1)'],
    ['https://user:password@provider.example/'],
  ])('is none where %j is announced', async (value) => {
    await open(() => ({ end_session_endpoint: value }))
    expect(endSession()).toBeUndefined()
  })

  it('is /v2/logout at a custom domain of Auth0 that announces none', async () => {
    await open(
      (origin) => ({
        issuer: `${origin}/`,
        token_endpoint: `${origin}/oauth/token`,
        mfa_challenge_endpoint: `${origin}/mfa/challenge`,
      }),
      {},
      '/',
    )
    expect(endSession()?.pathname).toBe('/v2/logout')
    expect(parametersOf(endSession())).toEqual({ client_id: 'gateway', returnTo: back })
  })

  it('is none at a provider that only has paths like those of Auth0', async () => {
    await open((origin) => ({ token_endpoint: `${origin}/oauth/token` }), {}, '/')
    expect(endSession()).toBeUndefined()
  })
})

describe('a revocation', () => {
  it.each<readonly [string, ScriptedAnswer]>([
    ['500', { status: 500 }],
    ['400', { status: 400, body: { error: 'unsupported_token_type' } }],
    ['a redirect', { status: 302, headers: { location: '/' } }],
    ['a broken connection', { send: (response) => response.destroy() }],
  ])('that is answered by %s is not done', async (_name, answer) => {
    await open(() => ({}))
    scripted.faults.revocation = () => answer
    expect(await provider.revoke('rt-1', 'logout')).toBe(false)
  })

  it('that is not answered is given up after 2 s', async () => {
    await open(() => ({}), { providerTimeout: 20 })
    scripted.faults.revocation = () => ({ send: () => undefined })
    const startedAtMs = performance.now()
    expect(await provider.revoke('rt-1', 'logout')).toBe(false)
    expect(performance.now() - startedAtMs).toBeLessThan(3_500)
  })

  it.each([[undefined], [7], ['nothing'], ['http://provider.example/revoke']])(
    'at %j sends the token nowhere',
    async (value) => {
      await open(() => ({ revocation_endpoint: value }))
      expect(await provider.revoke('rt-1', 'logout')).toBe(false)
      expect(scripted.count('/revoke')).toBe(0)
    },
  )

  it('carries the token, its kind, and the client’s proof', async () => {
    await open(() => ({}))
    expect(await provider.revoke('rt-1', 'logout')).toBe(true)
    expect(Object.fromEntries(scripted.requests.at(-1)?.form ?? [])).toEqual({
      token: 'rt-1',
      token_type_hint: 'refresh_token',
      client_id: 'gateway',
      client_secret: 'gateway-secret',
    })
  })
})
