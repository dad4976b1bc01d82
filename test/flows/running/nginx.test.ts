import { once } from 'node:events'
import { request as sendRequest } from 'node:https'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startUpstream, type Upstream, valuesOf } from '../../support/api/upstream.ts'
import { type Browser, createBrowser, type Tab } from '../../support/browser/browser-client.ts'
import { exchange } from '../../support/exchange.ts'
import { type Certificates, makeCertificates } from '../../support/fronts/certificates.ts'
import { isNginxLeftOut, type Nginx, startNginx } from '../../support/fronts/nginx.ts'
import { alice, providerPaths } from '../../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

const title = isNginxLeftOut ? 'behind nginx (left out: nginx is not installed)' : 'behind nginx'

/** nginx' own address is 127.0.0.1; whoever comes from here is the client. */
const clientAddress = '127.0.0.2'
/** An ID token of more than 3,500 bytes, which still goes into the end-session URL (at most 4,096). */
const longName = 'A'.repeat(2_350)

let world: World
let upstream: Upstream
let nginx: Nginx
let certificates: Certificates
let browser: Browser
let tab: Tab

async function start(): Promise<void> {
  upstream = await startUpstream()
  world = await startWorld({
    settings: { API_URL: upstream.origin, TRUST_PROXY: '127.0.0.1', BODY_LIMIT: '64mb' },
    provider: { users: [{ ...alice, name: longName }] },
  })
  certificates = await makeCertificates(`DNS:${world.baseUrl.hostname}`)
  const [gateway] = world.gateways
  nginx = await startNginx({
    ...certificates,
    gatewayPort: gateway?.port ?? 0,
    serverName: world.baseUrl.hostname,
  })
  browser = newBrowser()
  tab = await world.signIn(browser)
}

const addressOfNginx = () => ({
  host: '127.0.0.1',
  port: nginx.port,
  ca: certificates.ca,
  localAddress: clientAddress,
})

function newBrowser(): Browser {
  return createBrowser({
    baseUrl: world.baseUrl,
    route: (url) => (url.origin === world.baseUrl.origin ? addressOfNginx() : undefined),
  })
}

const cookieHeader = (): string => `${world.sessionCookieName}=${world.sessionCookie(browser)}`

/** Options of a raw request through nginx. */
const rawRequest = (path: string, headers: Readonly<Record<string, string>> = {}) => ({
  ...addressOfNginx(),
  servername: world.baseUrl.hostname,
  path,
  headers: {
    host: world.baseUrl.host,
    cookie: cookieHeader(),
    'sec-fetch-site': 'same-origin',
    origin: world.baseUrl.origin,
    ...headers,
  },
})

describe.skipIf(isNginxLeftOut)(title, () => {
  beforeAll(start)
  afterAll(async () => {
    await nginx.stop()
    await certificates.remove()
    await world.stop()
    await upstream.stop()
  })

  test('a user signs in and calls the API with a token', async () => {
    const answer = await tab.fetch('/api/orders?x=1&y=%2F')
    expect(answer.status).toBe(200)
    const { target, headers } = answer.json<{ target: string; headers: [string, string][] }>()
    expect(target).toBe('/orders?x=1&y=%2F')
    expect(headers).toContainEqual(['authorization', expect.stringMatching(/^Bearer eyJ/)])
  })

  test('paths reach the API byte for byte', async () => {
    const target = '/a//b/%7Ec;v=1/'
    const answer = await tab.fetch(`/api${target}`)
    expect(answer.json<{ target: string }>().target).toBe(target)
  })

  test('the API learns the address of the client, whatever the client says about it', async () => {
    const arrived = upstream.next()
    await tab.fetch('/api/orders', { headers: { 'x-forwarded-for': '9.9.9.9', forwarded: 'for=9.9.9.9' } })
    const request = await arrived
    expect(valuesOf(request, 'x-forwarded-for')).toEqual([`${clientAddress}, 127.0.0.1`])
    expect(valuesOf(request, 'x-forwarded-proto')).toEqual(['https'])
    expect(valuesOf(request, 'x-forwarded-host')).toEqual([world.baseUrl.host])
    expect(JSON.stringify(request.headers)).not.toContain('9.9.9.9')
  })

  test('an event arrives while its stream is open', async () => {
    const held = Promise.withResolvers<void>()
    upstream.on('/events', async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: first\n\n')
      await held.promise
      response.end('data: last\n\n')
    })
    const stream = await tab.stream('/api/events')
    const [first] = (await once(stream, 'data')) as [Buffer]
    expect(first.toString()).toBe('data: first\n\n')
    held.resolve()
    const [last] = (await once(stream, 'data')) as [Buffer]
    expect(last.toString()).toBe('data: last\n\n')
  })

  test('a WebSocket opens, with the token and without the cookie, and echoes', async () => {
    upstream.onWebSocket((socket) =>
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
    )
    const arrived = upstream.next()
    const { headers, ...connection } = rawRequest('/api/socket')
    const socket = new WebSocket(`wss://127.0.0.1:${nginx.port}/api/socket`, { ...connection, headers })
    await once(socket, 'open')
    const request = await arrived
    expect(valuesOf(request, 'authorization')).toEqual([expect.stringMatching(/^Bearer eyJ/)])
    expect(valuesOf(request, 'cookie')).toEqual([])
    socket.send('hello')
    expect(String((await once(socket, 'message'))[0])).toBe('hello')
    socket.close()
    await once(socket, 'close')
  })

  test('an upload of any size is passed on while it comes', async () => {
    const arrived = upstream.next()
    const upload = sendRequest({ ...rawRequest('/api/upload', { 'x-csrf': '1' }), method: 'POST' })
    const answered = once(upload, 'response')
    // More than nginx lets through by itself, and more than it holds in memory.
    upload.write(Buffer.alloc(4_000_000, 'x'))
    const request = await arrived
    await expect.poll(request.bodyBytes).toBe(4_000_000)
    upload.end(Buffer.alloc(4_000_000, 'y'))
    const [answer] = await answered
    answer.resume()
    expect(answer.statusCode).toBe(200)
    expect(request.bodyBytes()).toBe(8_000_000)
  })

  test('callbacks and requests with long headers get through', async () => {
    const query = `code=${'c'.repeat(7_000)}&state=s`
    const { answer } = await newBrowser().tab().open(`/callback?${query}`)
    expect([answer.status, answer.text()]).toEqual([400, expect.stringContaining('login_state_invalid')])
    const long = await tab.fetch('/api/orders', { headers: { 'x-long': 'x'.repeat(12_000) } })
    expect(long.status).toBe(200)
  })

  test('probes are for the orchestrator alone, and plain http leads to https', async () => {
    expect((await tab.fetch('/readyz')).status).toBe(404)
    const plain = await exchange({
      method: 'GET',
      url: new URL('/deep/link?x=1', world.baseUrl),
      headers: {},
      address: { host: '127.0.0.1', port: nginx.plainPort },
    })
    expect([plain.status, plain.headers.location]).toEqual([308, `${world.baseUrl.origin}/deep/link?x=1`])
  })

  test('signing out leads to the provider with a hint of nearly 4,096 bytes', async () => {
    const leaving = await tab.submit(
      '/logout',
      {},
      { stopBefore: (url) => url.pathname === providerPaths.logout },
    )
    expect(leaving.answer.status).toBe(303)
    const hint = leaving.url.searchParams.get('id_token_hint') ?? ''
    expect(hint.length).toBeGreaterThan(3_500)
    expect(leaving.answer.headers.location?.length).toBeGreaterThan(4_096)
    expect(world.sessionCookie(browser)).toBeUndefined()
    expect((await tab.fetch('/api/orders')).status).toBe(401)
    expect(await nginx.errors()).not.toMatch(/too big|\[(error|crit|alert|emerg)\]/)
  })
})
