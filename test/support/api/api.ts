import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose'
import { freePort } from '../ports.ts'

/** What the API was sent. */
export interface ApiRequest {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

/** An API that trusts nobody: it verifies each access token itself. */
export interface TestApi {
  readonly url: string
  readonly port: number
  readonly requests: readonly ApiRequest[]
  /** `/fresh` demands a sign-in not before this, epoch seconds. */
  signedInSince: number
  /** Event streams that are open. */
  openStreams(): number
  stop(): Promise<void>
  /** Listens again on the same port after {@link stop}. */
  start(): Promise<void>
}

/** What the API demands of a token. */
export interface TestApiOptions {
  readonly issuer: string
  readonly audience: string
  /** Where the provider's keys are; the issuer's `/jwks` unless told otherwise. */
  readonly jwksUri?: string
}

const freshChallenge = 'Bearer error="insufficient_user_authentication", max_age="0"'

/** Demanded by `/admin`. */
const adminPermission = 'admin:orders'

/**
 * Starts the API on loopback:
 * `/admin` demands a permission, `/fresh` a fresh sign-in (RFC 9470), `/events` is an event stream, everything else answers who called and what was sent.
 */
export async function startTestApi(options: TestApiOptions): Promise<TestApi> {
  const port = await freePort()
  const requests: ApiRequest[] = []
  const streams = new Set<ServerResponse>()
  const keys = createRemoteJWKSet(new URL(options.jwksUri ?? `${options.issuer.replace(/\/$/, '')}/jwks`), {
    cooldownDuration: 0,
  })
  const verify = async (request: IncomingMessage): Promise<JWTPayload> => {
    const token = /^Bearer ([\w.-]+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const { payload } = await jwtVerify(token, keys, {
      issuer: options.issuer,
      audience: options.audience,
      requiredClaims: ['sub', 'exp', 'iat'],
      algorithms: ['RS256', 'PS256', 'ES256'],
    })
    return payload
  }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await read(request)
    const target = request.url ?? ''
    requests.push({ method: request.method ?? '', target, headers: request.headers, body })
    const claims = await verify(request)
    if (target.startsWith('/events')) return openStream(response, streams)
    if (target.startsWith('/admin') && !permissionsOf(claims).includes(adminPermission)) {
      return answer(response, 403, { error: 'insufficient_permission' })
    }
    if (target.startsWith('/fresh') && Number(claims.auth_time ?? 0) < api.signedInSince) {
      return answer(response, 401, { error: 'stale' }, { 'www-authenticate': freshChallenge })
    }
    answer(response, 200, {
      sub: claims.sub,
      aud: claims.aud,
      method: request.method,
      target,
      body,
      permissions: permissionsOf(claims),
    })
  }
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => refuse(response, error))
  })
  const start = (): Promise<void> =>
    new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve()))
  await start()
  const api: TestApi = {
    signedInSince: 0,
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    openStreams: () => streams.size,
    start,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return api
}

function openStream(response: ServerResponse, streams: Set<ServerResponse>): void {
  streams.add(response)
  response.once('close', () => streams.delete(response))
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  response.write('data: hello\n\n')
}

function refuse(response: ServerResponse, error: unknown): void {
  const isTokenFault = error instanceof errors.JOSEError
  const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' }
  answer(response, isTokenFault ? 401 : 500, { error: isTokenFault ? error.code : 'fault' }, challenge)
}

function answer(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

function permissionsOf(claims: JWTPayload): readonly string[] {
  return Array.isArray(claims.permissions) ? claims.permissions.map(String) : []
}

async function read(stream: IncomingMessage): Promise<string> {
  let text = ''
  stream.setEncoding('utf8')
  for await (const chunk of stream) text += chunk
  return text
}
