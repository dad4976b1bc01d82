import { type IncomingMessage, request as sendRequest } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { createAccessParts } from '../../../src/access/parts.ts'
import type { RouteConfig } from '../../../src/config/routes/route.ts'
import { plainAccess } from '../../../src/config/routes/rules/access.ts'
import { GatewayError } from '../../../src/errors/gateway-error.ts'
import { problemRules, retryAfterSeconds, toProblemDocument } from '../../../src/errors/problem.ts'
import { createCookies } from '../../../src/http/cookies/cookies.ts'
import { closeWithin } from '../../../src/http/lifetime/closing.ts'
import { ownLives } from '../../../src/http/lifetime/listener.ts'
import { noLimits } from '../../../src/http/limits/limits.ts'
import { createStepUps } from '../../../src/http/login/step-up.ts'
import { installRequestCheck } from '../../../src/http/server/request-form.ts'
import { createListenerServer, createRoot } from '../../../src/http/server/server.ts'
import type { UpstreamWay } from '../../../src/network/outbound-proxy.ts'
import type { AccessToken } from '../../../src/oidc/tokens/token-set.ts'
import { createProcessNames } from '../../../src/proxy/headers/reserved-names.ts'
import {
  knowAllMethods,
  type ProxyServices,
  registerProxyScope,
} from '../../../src/proxy/routes/proxy-routes.ts'
import { createSealer } from '../../../src/sealing/sealer.ts'
import type { SessionView } from '../../../src/session/record/session.ts'
import { createNonceMemory } from '../../../src/signing/nonces.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { createFakeProvider } from '../../http/support/fake-provider.ts'

export const baseUrl = new URL('http://127.0.0.1:9999')
export const sessionId = 'S'.repeat(43)
export const cookie = `coatcheck=${sessionId}`
/** What a fetch of our own page sends. */
export const ownFetch = { cookie, 'sec-fetch-site': 'same-origin' }

/** A route with short times; what a test says about it wins. */
export function routeTo(upstream: string, more: Partial<RouteConfig> = {}): RouteConfig {
  return {
    prefix: '/api',
    upstream: new URL(upstream),
    auth: 'required',
    audience:
      more.auth === 'none'
        ? undefined
        : { key: 'api', value: 'api', parameter: 'audience', accepted: [], scope: undefined },
    access: plainAccess,
    methods: undefined,
    connectTimeoutMs: 1_000,
    firstByteTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    bodyLimitBytes: 1_073_741_824,
    websocket: true,
    websocketMaxMessageBytes: 1_048_576,
    forwardCookies: [],
    forwardAuthorization: false,
    forwardOrigin: false,
    allowSetCookies: [],
    allowRedirectHosts: [],
    activeContent: false,
    tls: undefined,
    maxInFlight: 100,
    maxInFlightPerSession: 100,
    ...more,
  }
}

/** Sessions and tokens of the tests: one live session, which a test may end or make unreadable. */
export class FakeSessions {
  readonly listeners = new Set<(h: string | undefined) => void>()
  lookups = 0
  touches = 0
  isLiveFeed = true
  isStoreDown = false
  view: SessionView | undefined = {
    h: 'h-of-session',
    writeId: 'w1',
    createdAtMs: Date.now(),
    endsAtMs: Date.now() + 3_600_000,
    lastSeenAtMs: Date.now(),
    access: {},
    canRefresh: true,
    sessionRef: 'ref',
    userRef: 'user',
  }
  /** The feed says that something changed. */
  end(): void {
    this.view = undefined
    for (const listener of this.listeners) listener('h-of-session')
  }
  find(untrustedId: string): SessionView | undefined | Promise<SessionView | undefined> {
    this.lookups += 1
    if (this.isStoreDown) return Promise.reject(new GatewayError('session_store_unavailable'))
    return untrustedId === sessionId ? this.view : undefined
  }
  touch(): void {
    this.touches += 1
  }
  async deviceLivesMs(hs: readonly string[]): Promise<readonly number[]> {
    return hs.map(() => 0)
  }

  async exist(hs: readonly string[]): Promise<readonly boolean[]> {
    if (this.isStoreDown) throw new GatewayError('session_store_unavailable')
    return hs.map((h) => h === this.view?.h)
  }
  subscribe(listener: (h: string | undefined) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  userRef(): string {
    return 'user'
  }
  isLive(): boolean {
    return this.isLiveFeed
  }
}

export class FakeTokens {
  current: AccessToken | GatewayError | Promise<AccessToken> = tokenOf('token-1')
  cured: AccessToken | undefined | GatewayError = undefined
  cures = 0
  whileCuring: () => Promise<void> = async () => undefined
  get(): AccessToken | Promise<AccessToken> {
    if (this.current instanceof GatewayError) throw this.current
    return this.current
  }
  async cure(): Promise<AccessToken | undefined> {
    this.cures += 1
    await this.whileCuring()
    if (this.cured instanceof GatewayError) throw this.cured
    return this.cured
  }
}

export function tokenOf(value: string): AccessToken {
  return { value, obtainedAtMs: Date.now(), expiresAtMs: Date.now() + 600_000 }
}

/** A running proxy with nothing else around it. */
export interface TestProxy {
  readonly app: FastifyInstance
  readonly port: number
  readonly sessions: FakeSessions
  readonly tokens: FakeTokens
  readonly outcomes: string[]
  /** Warnings of the proxy itself, and their fields. */
  readonly warnings: Record<string, unknown>[]
  readonly streams: { websocket: number; sse: number }
  stop(): Promise<void>
}

export interface ProxyTestOptions {
  readonly routes: readonly RouteConfig[]
  readonly idleTimeoutSeconds?: number
  readonly maxWebsocketsPerSession?: number
  readonly trustProxy?: readonly string[]
  readonly uploadMinRate?: number
  readonly spaUrl?: URL
  /** Proxies on the way to APIs. */
  readonly way?: UpstreamWay
}

/** Starts a proxy on a free port. */
export async function startProxy(options: ProxyTestOptions): Promise<TestProxy> {
  const server = createListenerServer({ keepAliveTimeout: 72 })
  const app = createRoot({ trustProxy: options.trustProxy ?? [] }, silentLogger(), {
    serverFactory: () => server,
  })
  closeWithin(app, ownLives(server, app.routing), 10_000)
  const sessions = new FakeSessions()
  const tokens = new FakeTokens()
  const provider = createFakeProvider(Date.now).provider
  const sealer = createSealer(['a secret of the tests, long enough'])
  const outcomes: string[] = []
  const warnings: Record<string, unknown>[] = []
  const log = Object.assign(Object.create(app.log) as typeof app.log, {
    warn: (facts: Record<string, unknown>, message: string) => void warnings.push({ ...facts, message }),
  })
  const streams = { websocket: 0, sse: 0 }
  const services: ProxyServices = {
    sessions,
    accessTokens: tokens,
    cookies: createCookies({
      baseUrl,
      cookieWord: 'coatcheck',
      sessionCookiePersistent: false,
      sessionMaxLifetime: 36_000,
    }),
    provider,
    stepUps: createStepUps({
      sealer,
      loginUrl: '/login',
      loginParameters: ['acr_values', 'max_age'],
      authorizationParameters: {},
      now: Date.now,
    }),
    loginUrl: '/login',
    ...createAccessParts(
      { baseUrl, basePath: '', clientId: 'client' },
      {
        provider,
        sessions,
        sealer,
        telemetry: { log: app.log },
        nonces: createNonceMemory(),
        certificates: undefined,
        gatewayKeys: undefined,
        now: Date.now,
      },
    ),
    csrf: { origin: baseUrl.origin, headerRequired: false },
    device: undefined,
    reservedNames: createProcessNames(),
    limits: noLimits,
    telemetry: {
      log,
      audit: { event: () => undefined },
      metrics: {
        ...noMetrics,
        upstream: (_route, outcome) => void outcomes.push(outcome),
        openStreams: (kind, delta) => {
          streams[kind] += delta
        },
      },
    },
    now: Date.now,
  }
  installRequestCheck(app)
  answerErrors(app)
  knowAllMethods(app)
  registerProxyScope(
    app,
    {
      routes: options.routes,
      baseUrl,
      authPrefix: '',
      issuerUrl: 'https://login.example.com/',
      basePath: '',
      audience: { key: 'api', value: 'api', parameter: 'audience', accepted: [], scope: undefined },
      hsts: 'max-age=31536000',
      sessionIdleTimeout: options.idleTimeoutSeconds ?? 1_800,
      sessionMaxLifetime: 36_000,
      maxWebsocketsPerSession: options.maxWebsocketsPerSession ?? 32,
      uploadMinRate: options.uploadMinRate ?? 128,
      trustProxy: options.trustProxy ?? [],
      ...options.way,
      spaUrl: options.spaUrl,
      spaCsp: undefined,
    },
    services,
  )
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const stop = async (): Promise<void> => {
    app.server.closeAllConnections()
    await app.close()
  }
  return { app, port, sessions, tokens, outcomes, warnings, streams, stop }
}

/** The problem document of each error; the real answers are the http folder's affair. */
function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const problem =
      error instanceof GatewayError ? error : new GatewayError('internal_error', { cause: error })
    const retryAfter = retryAfterSeconds(problem)
    reply.code(
      error instanceof GatewayError
        ? problemRules[problem.code].status
        : ((error as { statusCode?: number }).statusCode ?? 500),
    )
    if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
    return reply
      .headers(problem.headers)
      .type('application/problem+json')
      .send(JSON.stringify(toProblemDocument(problem, request.id)))
  })
}

/** An answer, read whole. */
export interface TestAnswer {
  readonly status: number
  readonly message: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  readonly body: string
  json(): Record<string, unknown>
}

/** Sends one request on a connection of its own; header lists keep order and duplicates. */
export function send(
  port: number,
  target: string,
  options: {
    method?: string
    headers?: Record<string, string | string[]> | string[]
    body?: string | Buffer
  } = {},
): Promise<TestAnswer> {
  const { method = 'GET', headers = ownFetch, body } = options
  return new Promise((resolve, reject) => {
    const request = sendRequest({
      host: '127.0.0.1',
      port,
      path: target,
      method,
      headers: Array.isArray(headers) ? ['host', 'x', ...headers] : headers,
      agent: false,
    })
    request.once('error', reject)
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({
          status: response.statusCode ?? 0,
          message: response.statusMessage ?? '',
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body: text,
          json: () => JSON.parse(text) as Record<string, unknown>,
        })
      })
    })
    request.end(body)
  })
}

/** Writes bytes on a connection and reads until it is closed, or until a whole answer has come. */
export function sendRaw(
  port: number,
  bytes: string,
  until: (text: string) => boolean = hasAnswer,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    let text = ''
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (until(text)) socket.destroy()
    })
    socket.once('error', (error) => (text === '' ? reject(error) : resolve(text)))
    socket.once('close', () => resolve(text))
    socket.write(bytes, 'latin1')
  })
}

function hasAnswer(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return false
  const length = /content-length: (\d+)/i.exec(text)?.[1]
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= headEnd + 4 + Number(length)
}

/** Waits until a measured value no longer changes: nobody says when nothing more will happen. */
export async function settled(measure: () => number): Promise<number> {
  for (let last = Number.NaN; ; ) {
    const value = measure()
    if (value === last) return value
    last = value
    await sleep(250)
  }
}
