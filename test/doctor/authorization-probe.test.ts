import { once } from 'node:events'
import { createServer, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import { createProviderAsk } from '../../src/doctor/provider/ask-provider.ts'
import { probeAuthorization } from '../../src/doctor/provider/authorization-probe.ts'
import { demandIn } from '../../src/doctor/provider/demand.ts'
import { minimalEnv } from '../config/fixtures.ts'

interface ScriptedAnswer {
  readonly status: number
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
}

const config = loadConfig(minimalEnv)
const redirectUri = 'https://app.example.com/callback'
let answers: Readonly<Record<string, ScriptedAnswer>> = {}
const asked: URL[] = []
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', origin())
  asked.push(url)
  const { status, headers = {}, body = '' } = answers[url.pathname] ?? { status: 404 }
  response.writeHead(status, headers).end(body)
})

function origin(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function ask(script: Readonly<Record<string, ScriptedAnswer>>, query = 'client_id=app') {
  answers = script
  return probeAuthorization({
    begin: async () => new URL(`/authorize?${query}`, origin()),
    redirectUri,
    ask: createProviderAsk({ issuerUrl: origin(), providerTimeout: 2 }),
    demandIn: (text) => demandIn(text, config),
  })
}

const toApp = (query: string): ScriptedAnswer => ({
  status: 302,
  headers: { location: `${redirectUri}?${query}` },
})

beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'))
afterAll(() => server.close())

describe('the unauthenticated authorization request', () => {
  it('asks with prompt=none, whatever the settings add', async () => {
    asked.length = 0
    await ask({ '/authorize': toApp('error=login_required') }, 'client_id=app&prompt=consent')
    expect(asked[0]?.searchParams.getAll('prompt')).toEqual(['none'])
  })

  it.each(['login_required', 'interaction_required', 'consent_required', 'account_selection_required'])(
    'was accepted when %s comes back',
    async (error) => {
      expect(await ask({ '/authorize': toApp(`error=${error}`) })).toEqual({ kind: 'accepted', error })
    },
  )

  it.each([
    ['Auth0', 'error=access_denied&error_description=Service+not+found%3A+https%3A%2F%2Fx', 'audience'],
    ['RFC 8707', 'error=invalid_target', 'audience'],
    ['Entra', 'error=invalid_resource&error_description=AADSTS500011%3A+The+resource+principal', 'audience'],
    [
      'Ory Hydra',
      "error=invalid_request&error_description=Malformed.+Requested+audience+'https://x'+has+not+been+whitelisted+by+the+OAuth+2.0+Client.",
      'audience',
    ],
    ['any provider', 'error=invalid_scope&error_description=no', 'scope'],
    ['any provider', 'error=unauthorized_client', 'flow'],
    ['any provider', 'error=server_error', 'unknown'],
  ])('is read as %s means it: %s', async (_who, query, about) => {
    expect(await ask({ '/authorize': toApp(query) })).toMatchObject({ kind: 'refused', about })
  })

  it.each([
    [
      'Auth0',
      403,
      '<h1>Callback URL mismatch.</h1> The provided redirect_uri is not in the list',
      'redirect_uri',
    ],
    ['Auth0', 403, 'invalid_request: Unknown client: abc', 'client'],
    ['Keycloak', 400, '<p>Invalid parameter: redirect_uri</p>', 'redirect_uri'],
    ['Keycloak', 400, '<p>Client not found.</p>', 'client'],
    ['Entra', 200, 'AADSTS50011: The redirect URI specified in the request does not match', 'redirect_uri'],
    ['Entra', 200, "AADSTS700016: Application with identifier 'x' was not found", 'client'],
    [
      'Okta',
      400,
      "The 'redirect_uri' parameter must be a Login redirect URI in the settings",
      'redirect_uri',
    ],
    [
      'oidc-provider',
      400,
      "invalid_redirect_uri redirect_uri did not match any of the client's",
      'redirect_uri',
    ],
    ['somebody', 403, 'Forbidden', 'unknown'],
  ])('is read as %s means its page of status %i: %s', async (_who, status, body, about) => {
    const answer = await ask({ '/authorize': { status, body } })
    expect(answer).toMatchObject({ kind: 'refused_page', about })
  })

  it('is followed over pages of the provider to an error page (Cognito)', async () => {
    const answer = await ask({
      '/authorize': { status: 302, headers: { location: '/oauth2/authorize' } },
      '/oauth2/authorize': {
        status: 302,
        headers: { location: '/error?error=redirect_mismatch&client_id=x' },
      },
    })
    expect(answer).toMatchObject({ kind: 'refused_page', about: 'redirect_uri' })
  })

  it('proves nothing when a login page is shown, whatever that page says', async () => {
    const body = 'var redirect_uri_mismatch = "Callback URL mismatch"'
    expect(await ask({ '/authorize': { status: 200, body } })).toEqual({ kind: 'login_page' })
  })

  it('proves nothing when it is sent round in circles', async () => {
    expect(await ask({ '/authorize': { status: 302, headers: { location: '/authorize' } } })).toEqual({
      kind: 'login_page',
    })
  })

  it('takes only our own redirect URI for ours', async () => {
    const location = 'https://app.example.com.evil.example/callback?error=login_required'
    const answer = await ask({ '/authorize': { status: 302, headers: { location } } })
    expect(answer.kind).not.toBe('accepted')
  })

  it.each([
    ['Pushed Authorization Request must be used', 'PUSHED_AUTHORIZATION_REQUESTS=on'],
    ['Request Object must be used by this client', 'REQUEST_OBJECT=signed'],
    ["Missing parameter: 'request' or 'request_uri'", 'REQUEST_OBJECT=signed'],
    ['DPoP proof must be used', 'TOKEN_BINDING=dpop'],
    ['Unsupported response_mode', 'RESPONSE_MODE'],
  ])('names the setting that meets a demand, on a page and in a redirect: %s', async (words, setting) => {
    const page = await ask({ '/authorize': { status: 400, body: `<h1>Oops</h1><p>${words}.</p>` } })
    expect(page).toMatchObject({ kind: 'refused_page', demand: { fix: expect.stringContaining(setting) } })
    const query = `error=invalid_request&error_description=${encodeURIComponent(words)}`
    const redirect = await ask({ '/authorize': toApp(query) })
    expect(redirect).toMatchObject({ kind: 'refused', demand: { fix: expect.stringContaining(setting) } })
  })

  it('looks into a signed response and into a posted form for the error', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const response = `${part({ alg: 'RS256' })}.${part({ error: 'invalid_scope' })}.AAAA`
    expect(await ask({ '/authorize': toApp(`response=${response}`) })).toMatchObject({ about: 'scope' })
    const form = (fields: string) => ({
      status: 200,
      body: `<form method="post" action="${redirectUri.replaceAll('/', '&#x2f;')}">${fields}</form>`,
    })
    const refused = '<input type="hidden" name="error" value="invalid_scope"/>'
    expect(await ask({ '/authorize': form(refused) })).toMatchObject({ kind: 'refused', about: 'scope' })
    const silent = '<input type=hidden name=error value="login_required">'
    expect(await ask({ '/authorize': form(silent) })).toMatchObject({ kind: 'accepted' })
  })

  it('says when only prompt=none is broken', async () => {
    const urls = [`${origin()}/broken?prompt=none`, `${origin()}/authorize`]
    answers = { '/broken': { status: 500 }, '/authorize': { status: 200, body: 'Sign in' } }
    const answer = await probeAuthorization({
      begin: async (isSilent) => new URL(urls[isSilent ? 0 : 1] ?? ''),
      redirectUri,
      ask: createProviderAsk({ issuerUrl: origin(), providerTimeout: 2 }),
      demandIn: () => undefined,
    })
    expect(answer).toEqual({ kind: 'silent_fails', code: 'HTTP 500' })
  })

  it('says when the provider is broken', async () => {
    expect(await ask({ '/authorize': { status: 503 } })).toEqual({ kind: 'unreachable', code: 'HTTP 503' })
  })
})
