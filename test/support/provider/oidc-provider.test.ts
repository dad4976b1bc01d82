import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from '../browser/browser-client.ts'
import {
  apiAudience,
  providerPaths,
  startTestProvider,
  type TestProvider,
  testClient,
} from './oidc-provider.ts'

const baseUrl = new URL('https://app.example.test')
let provider: TestProvider

beforeAll(async () => {
  provider = await startTestProvider({ baseUrl: baseUrl.origin, backchannelLogoutUrl: null })
})
afterAll(() => provider.stop())

async function signIn(): Promise<string> {
  const request = new URL(`${provider.gate.origin}${providerPaths.authorize}`)
  request.search = `${new URLSearchParams({
    client_id: testClient.id,
    redirect_uri: `${baseUrl.origin}/callback`,
    response_type: 'code',
    scope: 'openid offline_access',
    audience: apiAudience,
  })}`
  const tab = createBrowser({ baseUrl }).tab()
  const { url } = await tab.open(request.href, { stopBefore: ({ origin }) => origin === baseUrl.origin })
  const response = await fetch(`${provider.gate.origin}${providerPaths.token}`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: url.searchParams.get('code') ?? '',
      redirect_uri: `${baseUrl.origin}/callback`,
      client_id: testClient.id,
      client_secret: testClient.secret,
    }),
  })
  expect(response.status).toBe(200)
  return ((await response.json()) as { refresh_token: string }).refresh_token
}

test('the provider signs in without a page and issues a rotating refresh token', async () => {
  const refreshToken = await signIn()
  expect(provider.grants('authorization_code')).toBe(1)
  expect(await provider.tryRefresh(refreshToken)).toBe(200)
  expect(await provider.tryRefresh(refreshToken)).toBe(403)
  expect(provider.grants('refresh_token')).toBe(2)
})

test('the provider has other keys after a change of keys, and signs in as before', async () => {
  const keys = async () => (await fetch(`${provider.gate.origin}${providerPaths.jwks}`)).json()
  const before = await keys()
  await provider.replaceKeys()
  expect(await keys()).not.toEqual(before)
  await signIn()
})
