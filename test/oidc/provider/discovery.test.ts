import { afterEach, expect, it } from 'vitest'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { eventually } from '../../support/eventually.ts'
import { logIn, openProvider } from '../../support/provider/scripted-login.ts'
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

/** Starts a provider with this metadata, and its gateway. */
async function open(change: (issuer: string) => Members, path = ''): Promise<void> {
  scripted = await startScriptedProvider({ path })
  scripted.faults.discovery = (metadata) => ({ ...metadata, ...change(scripted.issuer) })
  provider = openProvider(scripted, { providerTimeout: 1 })
}

const begin = () => provider.beginLogin({ returnTo: '/', parameters: {}, endsSession: undefined })

async function expectRefused(reason: RegExp): Promise<void> {
  await expect(begin()).rejects.toMatchObject({ code: 'provider_unavailable' })
  const status = provider.status()
  expect(status.ready).toBe(false)
  expect(status.reason).toMatch(reason)
  expect(status.reason).not.toContain('127.0.0.1:')
}

it.each(['', '/realms/a'])('an issuer "%s" that lacks a slash is refused with that hint', async (path) => {
  await open((issuer) => ({ issuer: `${issuer}/` }), path)
  await expect(begin()).rejects.toMatchObject({ code: 'provider_unavailable' })
  expect(provider.status()).toMatchObject({
    ready: false,
    reason: expect.stringContaining('only the trailing slash differs'),
  })
})

it('another issuer is refused by its name', async () => {
  await open(() => ({ issuer: 'https://other.example.test/' }))
  await expectRefused(/https:\/\/other\.example\.test\/$/)
})

it('an issuer that is no URL is refused as that', async () => {
  await open((issuer) => ({ issuer: `${issuer}INVALID` }))
  await expectRefused(/^ISSUER_URL must be exactly what the provider calls itself: no URL at all$/)
})

it.each([undefined, 7, null, '', ['https://a.example']])('the issuer %j is refused', async (issuer) => {
  await open(() => ({ issuer }))
  await expectRefused(/./)
})

const unsafe = [
  undefined,
  7,
  '',
  'nothing',
  'ftp://127.0.0.1/',
  'http://provider.example.test/x',
  'https://user:password@provider.example.test/',
  'javascript:alert(1)',
]
it.each(['authorization_endpoint', 'token_endpoint', 'jwks_uri'])(
  'metadata with an unsafe %s is refused',
  async (name) => {
    for (const value of unsafe) {
      await open(() => ({ [name]: value }))
      await expectRefused(new RegExp(name))
      if (value === unsafe.at(-1)) return
      await provider.close()
      await scripted.stop()
    }
  },
)

it.each<readonly [string, ScriptedAnswer]>([
  ['500', { status: 500 }],
  ['404', { status: 404, body: '<html>' }],
  ['a redirect', { status: 302, headers: { location: '/elsewhere' } }],
  ['a page', { body: '<html>', headers: { 'content-type': 'text/html' } }],
  ['nothing', { body: '' }],
  ['half an answer', { body: '{"issuer":"h' }],
  ['a list', { body: [] }],
  ['an empty object', { body: {} }],
  ['two megabytes', { body: { pad: 'x'.repeat(2 ** 21) } }],
  ['a broken connection', { send: (response) => response.destroy() }],
  ['silence', { send: () => undefined }],
  ['a strange status', { send: (response) => response.writeHead(799).end('{}') }],
])(
  'discovery that is answered by %s is an outage, bounded, and over with its cause',
  async (_name, answer) => {
    scripted = await startScriptedProvider()
    scripted.faults.discoveryAnswer = () => answer
    provider = openProvider(scripted, { providerTimeout: 1 })
    const startedAtMs = performance.now()
    await expectRefused(/./)
    expect(performance.now() - startedAtMs).toBeLessThan(2_500)
    delete scripted.faults.discoveryAnswer
    await expect(logIn(scripted, provider)).resolves.toMatchObject({ identity: { subject: 'alice' } })
    expect(provider.status()).toEqual({ ready: true, reason: undefined })
  },
)

it('discovery recovers by itself, when nobody asks', async () => {
  scripted = await startScriptedProvider()
  scripted.faults.discoveryAnswer = () => ({ status: 503 })
  provider = openProvider(scripted)
  await eventually(() => expect(scripted.count('/.well-known/openid-configuration')).toBe(1))
  delete scripted.faults.discoveryAnswer
  await eventually(() => expect(provider.status().ready).toBe(true))
})

it('many logins at once during an outage cause one attempt at a time', async () => {
  scripted = await startScriptedProvider()
  scripted.faults.discoveryAnswer = () => ({ send: () => undefined })
  provider = openProvider(scripted, { providerTimeout: 1 })
  await Promise.allSettled(Array.from({ length: 50 }, begin))
  expect(scripted.count('/.well-known/openid-configuration')).toBe(1)
})

const lists = [
  'token_endpoint_auth_methods_supported',
  'token_endpoint_auth_signing_alg_values_supported',
  'id_token_signing_alg_values_supported',
  'response_modes_supported',
  'code_challenge_methods_supported',
  'request_object_signing_alg_values_supported',
  'dpop_signing_alg_values_supported',
]
const others = [
  'authorization_response_iss_parameter_supported',
  'end_session_endpoint',
  'revocation_endpoint',
  'userinfo_endpoint',
  'pushed_authorization_request_endpoint',
  'mtls_endpoint_aliases',
]

it.each([null, 7, { a: 1 }, false])(
  'metadata with %j for whatever may be left out serve a login and a logout',
  async (value) => {
    await open(() => Object.fromEntries([...lists, ...others].map((name) => [name, value])))
    await expect(logIn(scripted, provider)).resolves.toMatchObject({ identity: { subject: 'alice' } })
    expect(provider.endSessionUrl({ idToken: undefined, identity: undefined, state: 's' })).toBeUndefined()
    expect(await provider.revoke('rt', 'logout')).toBe(false)
  },
)

it('a single name counts as a list of one', async () => {
  await open(() => ({
    id_token_signing_alg_values_supported: 'ES256',
    token_endpoint_auth_methods_supported: 'client_secret_basic',
  }))
  await expect(logIn(scripted, provider)).rejects.toMatchObject({
    context: { check: 'id_token.alg', expected: 'ES256', received: 'RS256' },
  })
})
