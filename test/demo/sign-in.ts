import { createHash, randomBytes } from 'node:crypto'
import { decodeJwt, type JWTPayload } from 'jose'
import type { DemoClient, DemoProviderOptions } from '../../src/dev/provider/options.ts'
import type { DemoProvider } from '../../src/dev/provider/provider.ts'
import { createBrowser, type Landing, type Tab } from '../support/browser/browser-client.ts'

export const audience = 'https://api.example'

export const client: DemoClient = {
  clientId: 'app',
  clientSecret: 'a secret of the application, long enough',
  baseUrl: 'http://localhost:4999',
  backchannelLogoutUrl: null,
}

/** A tenant with one API, one application and two users; the first signs in by itself. */
export const tenant: DemoProviderOptions = {
  clients: [client],
  apis: [{ identifier: audience, permissions: ['read:x', 'write:x'] }],
  users: [
    {
      id: 'demo|ada',
      name: 'Ada',
      email: 'ada@example.com',
      permissions: { [audience]: ['read:x', 'write:x'] },
    },
    { id: 'demo|ben', name: 'Ben', email: 'ben@example.com', permissions: { [audience]: ['read:x'] } },
  ],
  autoLogin: 'demo|ada',
}

/** The body of a token answer, with its status. */
export interface TokenAnswer {
  readonly status: number
  readonly access_token: string
  readonly id_token: string
  readonly refresh_token?: string
  readonly error?: string
}

const callbackUrl = `${client.baseUrl}/callback`
const codeVerifier = randomBytes(32).toString('base64url')

/** The parameters of an authorization request without an audience. */
export const request: Readonly<Record<string, string>> = {
  client_id: client.clientId,
  response_type: 'code',
  redirect_uri: callbackUrl,
  scope: 'openid profile email offline_access read:x write:x',
  state: 'the-state',
  code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
  code_challenge_method: 'S256',
}

/** A browser's tab that has not been anywhere. */
export const newTab = (): Tab => createBrowser({ baseUrl: new URL(client.baseUrl) }).tab()

/** Sends a tab to the authorization endpoint and stops where the application would take over. */
export function authorize(
  provider: DemoProvider,
  tab: Tab,
  parameters: Record<string, string>,
): Promise<Landing> {
  const url = new URL('authorize', provider.issuer)
  url.search = new URLSearchParams({ ...request, ...parameters }).toString()
  return tab.open(url.href, { stopBefore: isOfApp })
}

/** Whether a navigation has come back to the application. */
export const isOfApp = (url: URL): boolean => url.origin === client.baseUrl

/** Signs in and redeems the code. */
export async function signIn(
  provider: DemoProvider,
  parameters: Record<string, string>,
  tab: Tab = newTab(),
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  const { url } = await authorize(provider, tab, parameters)
  const code = url.searchParams.get('code') ?? ''
  const grant = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: callbackUrl,
    code_verifier: codeVerifier,
  }
  return askForTokens(provider, grant, headers)
}

/** One refresh grant. */
export const refresh = (
  provider: DemoProvider,
  refreshToken = '',
  secret = client.clientSecret,
): Promise<TokenAnswer> =>
  askForTokens(provider, { grant_type: 'refresh_token', refresh_token: refreshToken, client_secret: secret })

async function askForTokens(
  provider: DemoProvider,
  parameters: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  const { clientId, clientSecret } = client
  const body = new URLSearchParams({ client_id: clientId, client_secret: clientSecret, ...parameters })
  const response = await fetch(`${provider.issuer}oauth/token`, { method: 'POST', headers, body })
  return { ...((await response.json()) as Omit<TokenAnswer, 'status'>), status: response.status }
}

/** The claims of a token, unverified. */
export const claimsOf = (token: string): JWTPayload => decodeJwt(token)
