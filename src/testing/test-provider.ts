import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTestKeys, type TestKeys } from './test-keys.ts'
import { TestKitError } from './test-kit-error.ts'
import { createTestLogins, type TestLogins } from './test-logins.ts'
import type { TestUser } from './test-user.ts'

/** Options of {@link startTestProvider}. */
export interface StartTestProviderOptions {
  /** The API's identifier: `API_AUDIENCE` of the gateway. */
  readonly audience: string
  /** Who can sign in. `login_hint` chooses one by `sub`; without it the first one signs in. */
  readonly users: readonly [TestUser, ...TestUser[]]
  /** Claims of every access token besides the usual ones, for example `permissions`. */
  readonly accessTokenClaims?: (user: TestUser) => Readonly<Record<string, unknown>>
  /** Seconds. Default 3,600. */
  readonly accessTokenLifetime?: number
  /** Default: a free one. */
  readonly port?: number
}

/** An OpenID Provider that signs in whoever comes, on loopback. */
export interface TestProvider {
  /** `ISSUER_URL` of the gateway, and the issuer that the API trusts. */
  readonly issuer: string
  /** For an API that is told its keys apart. */
  readonly jwksUrl: string
  /** A signed access token for the API; `claims` win over all others. */
  accessToken(user: TestUser, claims?: Readonly<Record<string, unknown>>): string
  stop(): Promise<void>
}

const defaultLifeSeconds = 3_600
const mostBodyBytes = 65_536

/**
 * Starts a provider for tests: discovery, keys, authorization code with PKCE, refresh, end of session. It asks nobody for anything, so a
 * browser test that presses "Sign in" is signed in at once, and it holds any client id and secret for right.
 */
export async function startTestProvider(options: StartTestProviderOptions): Promise<TestProvider> {
  if (options.users.length === 0) throw new TestKitError('A provider without users signs nobody in.')
  const keys = createTestKeys()
  const server = createServer()
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const accessToken = tokenMaker(options, keys, issuer)
  const logins = createTestLogins({
    issuer,
    keys,
    accessToken,
    users: options.users,
    lifeSeconds: lifeOf(options),
  })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response, issuer, keys, logins).catch(() => response.destroy())
  })
  return {
    issuer,
    jwksUrl: `${issuer}/jwks`,
    accessToken,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const lifeOf = ({ accessTokenLifetime }: StartTestProviderOptions): number =>
  accessTokenLifetime ?? defaultLifeSeconds

function tokenMaker(
  options: StartTestProviderOptions,
  keys: TestKeys,
  issuer: string,
): TestProvider['accessToken'] {
  return (user, claims = {}) => {
    const iat = Math.floor(Date.now() / 1_000)
    return keys.sign('at+jwt', {
      iss: issuer,
      sub: user.sub,
      aud: options.audience,
      iat,
      exp: iat + lifeOf(options),
      jti: randomUUID(),
      ...options.accessTokenClaims?.(user),
      ...claims,
    })
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  issuer: string,
  keys: TestKeys,
  logins: TestLogins,
): Promise<void> {
  const url = new URL(request.url ?? '/', issuer)
  const redirect = (to: URL): void => void response.writeHead(303, { location: to.href }).end()
  switch (url.pathname) {
    case '/.well-known/openid-configuration':
      return sendJson(response, 200, metadataOf(issuer))
    case '/jwks':
      return sendJson(response, 200, { keys: [keys.publicJwk] })
    case '/authorize':
      return redirect(logins.authorize(url.searchParams))
    case '/token': {
      const { status, body } = logins.token(new URLSearchParams(await readBody(request)))
      return sendJson(response, status, body)
    }
    case '/logout':
      return redirect(logins.endSession(url.searchParams))
    default:
      return sendJson(response, 404, { error: 'not_found' })
  }
}

function metadataOf(issuer: string): Readonly<Record<string, unknown>> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    end_session_endpoint: `${issuer}/logout`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    authorization_response_iss_parameter_supported: true,
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk)
    if (text.length > mostBodyBytes) throw new RangeError('the body of a token request is small')
  }
  return text
}
