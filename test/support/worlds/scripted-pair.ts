import type { Redis } from 'ioredis'
import { type Answer, exchange } from '../exchange.ts'
import { type GatewayProcess, startGatewayProcess } from '../gateway/gateway-process.ts'
import { freePort } from '../ports.ts'
import { type ScriptedProvider, startScriptedProvider } from '../provider/scripted-provider.ts'
import { type RedisServer, startRedis } from '../redis/redis.ts'
import { type RedisGate, startRedisGate } from '../redis/redis-gate.ts'

/** Which of the two gateways. */
export type Side = 0 | 1

/** A login that the provider has approved and that has not come back yet. */
export interface PendingLogin {
  readonly query: string
  /** The transaction cookie, as the browser sends it. */
  readonly cookie: string
}

/** Two gateway processes on one Redis, each of which can be stopped between two commands; the provider signs whatever it is told. */
export interface ScriptedPair {
  readonly provider: ScriptedProvider
  readonly redis: RedisServer
  readonly gates: readonly [RedisGate, RedisGate]
  readonly gateways: readonly [GatewayProcess, GatewayProcess]
  /** A client of the test. */
  readonly client: Redis
  request(
    side: Side,
    method: string,
    path: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>
  /** As far as the provider's approval. */
  beginLogin(side: Side): Promise<PendingLogin>
  /** The callback of one. */
  completeLogin(side: Side, login: PendingLogin): Promise<Answer>
  /** A whole login; returns the `Cookie` header of its session. @throws when there is none */
  signIn(side: Side): Promise<string>
  /** Sends a logout token to a gateway. */
  logOut(side: Side, token: string): Promise<Answer>
  /** Whether a gateway knows a session: `true`, `false`, or its status when it does not say. */
  isSignedIn(side: Side, cookie: string): Promise<boolean | number>
  /** Hashes of the sessions in Redis, as its keys. */
  sessionKeys(): Promise<readonly string[]>
  stop(): Promise<void>
}

const navigation = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

const sessionCookie = /^(__Host-Http-coatcheck=[\w-]{43});/

/** The `Cookie` header for the session that an answer has handed out; `undefined` when there is none. */
export function sessionCookieOf({ setCookies }: Answer): string | undefined {
  return setCookies.map((one) => sessionCookie.exec(one)?.[1]).find((cookie) => cookie !== undefined)
}

/** Starts all of it, and waits until both gateways are ready. */
export async function startScriptedPair(
  settings: Readonly<Record<string, string>> = {},
  redisConf: Readonly<Record<string, string>> = {},
): Promise<ScriptedPair> {
  const ends: (() => unknown)[] = []
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  try {
    return await build(settings, redisConf, ends, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function build(
  settings: Readonly<Record<string, string>>,
  redisConf: Readonly<Record<string, string>>,
  ends: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<ScriptedPair> {
  const redis = await startRedis({ conf: redisConf })
  ends.push(redis.stop)
  const provider = await startScriptedProvider()
  ends.push(provider.stop)
  const startSide = async (): Promise<{ gate: RedisGate; gateway: GatewayProcess }> => {
    const gate = await startRedisGate(redis.port)
    ends.push(gate.close)
    const gateway = await startGatewayProcess(await environment(provider, gate.url, settings))
    ends.push(gateway.stop)
    await gateway.ready()
    return { gate, gateway }
  }
  const [first, second] = await Promise.all([startSide(), startSide()])
  const gateways = [first.gateway, second.gateway] as const
  const client = redis.client()
  const send = (side: Side, method: string, path: string, headers: Record<string, string>, body?: string) =>
    exchange({
      method,
      url: new URL(path, 'https://app.example.test'),
      headers,
      body,
      address: { host: '127.0.0.1', port: gateways[side].port },
    })
  const pair: ScriptedPair = {
    provider,
    redis,
    gates: [first.gate, second.gate],
    gateways,
    client,
    request: (side, method, path, headers = {}) => send(side, method, path, { ...headers }),
    async beginLogin(side) {
      const answer = await send(side, 'GET', '/login', {})
      const cookie = answer.setCookies[0]?.split(';')[0] ?? ''
      return { cookie, query: provider.approve(new URL(answer.headers.location ?? '')) }
    },
    completeLogin: (side, { query, cookie }) =>
      send(side, 'GET', `/callback?${query}`, { ...navigation, cookie }),
    async signIn(side) {
      const answer = await pair.completeLogin(side, await pair.beginLogin(side))
      const cookie = sessionCookieOf(answer)
      if (cookie === undefined) throw new Error(`the login was answered with ${answer.status}`)
      return cookie
    },
    logOut: (side, token) =>
      send(
        side,
        'POST',
        '/backchannel-logout',
        { 'content-type': 'application/x-www-form-urlencoded' },
        `${new URLSearchParams({ logout_token: token })}`,
      ),
    async isSignedIn(side, cookie) {
      const answer = await send(side, 'GET', '/session', { cookie, 'x-csrf': '1' })
      return answer.status === 200 ? answer.json<{ authenticated: boolean }>().authenticated : answer.status
    },
    sessionKeys: () => client.keys('coatcheck:session:*'),
    stop,
  }
  return pair
}

async function environment(
  provider: ScriptedProvider,
  redisUrl: string,
  settings: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>> & { readonly PORT: string }> {
  return {
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: provider.clientSecret,
    API_AUDIENCE: provider.audience,
    API_URL: 'http://127.0.0.1:9',
    BASE_URL: 'https://app.example.test',
    SCOPE: 'openid offline_access',
    SESSION_SECRET: 'session-secret-of-a-scripted-pair-0123456789',
    REDIS_URL: redisUrl,
    SESSION_STORE: 'redis',
    LOG_FORMAT: 'json',
    DRAIN_DELAY: '0',
    ...settings,
    PORT: `${await freePort()}`,
  }
}
