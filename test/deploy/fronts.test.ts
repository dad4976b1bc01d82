import { once } from 'node:events'
import { request as sendRequest } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { startUpstream, type Upstream, valuesOf } from '../support/api/upstream.ts'
import { createBrowser } from '../support/browser/browser-client.ts'
import { eventually } from '../support/eventually.ts'
import { exchange } from '../support/exchange.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { fronts } from '../support/fronts/fronts.ts'
import type { RunningProxy } from '../support/fronts/run-proxy.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

/** The proxy's own address is 127.0.0.1; whoever comes from here is the client. */
const clientAddress = '127.0.0.2'
/** Time in which a smuggled request would have arrived, milliseconds. */
const settleMs = 300

let world: World
let upstream: Upstream
let certificates: Certificates
let cookie: string

beforeAll(async () => {
  upstream = await startUpstream()
  world = await startWorld({ settings: { API_URL: upstream.origin, TRUST_PROXY: '127.0.0.1' } })
  certificates = await makeCertificates(`DNS:${world.baseUrl.hostname}`)
})
afterAll(async () => {
  await certificates?.remove()
  await world?.stop()
  await upstream?.stop()
})

describe.each(fronts)('$name in front of a gateway', ({ name, isLeftOut, start }) => {
  describe.skipIf(isLeftOut)(isLeftOut ? 'left out: it is not installed' : 'as shipped', () => {
    let front: RunningProxy

    const address = () => ({
      host: '127.0.0.1',
      port: front.port,
      ca: certificates.ca,
      localAddress: clientAddress,
      servername: world.baseUrl.hostname,
    })
    const ask = (path: string, headers: Readonly<Record<string, string>> = {}) =>
      exchange({
        method: 'GET',
        url: new URL(path, world.baseUrl.origin),
        headers: { ...own(), ...headers },
        address: address(),
      })
    const own = () => ({ cookie, 'sec-fetch-site': 'same-origin' })
    const raw = (path: string) => ({
      ...address(),
      path,
      headers: { host: world.baseUrl.host, ...own(), origin: world.baseUrl.origin },
    })
    const smuggled = () => upstream.requests.filter(({ target }) => target.includes('smuggled'))

    /** Sends bytes over TLS, and gives back whatever comes until nothing more does. */
    async function sendBytes(text: string): Promise<string> {
      const socket = connect({ ...address(), ALPNProtocols: ['http/1.1'] })
      socket.on('error', () => undefined)
      let answer = ''
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString('latin1')
      })
      await once(socket, 'secureConnect')
      socket.write(text, 'latin1')
      await Promise.race([once(socket, 'close'), sleep(settleMs)])
      socket.destroy()
      return answer
    }

    beforeAll(async () => {
      front = await start({
        certificates,
        gatewayPort: world.gateways[0]?.port ?? 0,
        serverNames: [world.baseUrl.hostname],
      })
      const browser = createBrowser({
        baseUrl: world.baseUrl,
        route: (url) => (url.origin === world.baseUrl.origin ? address() : undefined),
      })
      await world.signIn(browser)
      cookie = `${world.sessionCookieName}=${world.sessionCookie(browser)}`
    })
    afterAll(() => front?.stop())

    it.each([
      '/livez',
      '/readyz',
      '/readyz?for=traffic',
      '/LIVEZ',
      '/%6civez',
      '/%72%65adyz',
      '/%6C%69%76%65%7A',
      '//livez',
      '/livez/',
      '/livez;x=1',
      '/./livez',
      '/x/../livez',
      '/%2e/livez',
      '/x/%2e%2e/livez',
      '/livez%20',
      '/livez%00',
      '/livez%23',
      '/livez%3ffor=traffic',
      '/readyz%3Ffor=traffic',
    ])('the world does not get a probe by %s', async (path) => {
      const answer = await sendBytes(
        `GET ${path} HTTP/1.1\r\nHost: ${world.baseUrl.host}\r\nConnection: close\r\n\r\n`,
      )
      expect(answer).toMatch(/^HTTP\/1\.1 \d{3}/)
      expect(answer).not.toMatch(/"(?:live|ready)":/)
    })

    it('30 KB of headers pass; more than that is refused, and nobody else notices', async () => {
      expect((await ask('/api/x', { cookie: `a=${'x'.repeat(30_000)}; ${cookie}` })).status).toBe(200)
      const before = upstream.requests.length
      const answer = await ask('/api/x', { cookie: `a=${'x'.repeat(60_000)}; ${cookie}` }).catch(
        () => undefined,
      )
      expect([400, 413, 414, 431, undefined]).toContain(answer?.status)
      expect(upstream.requests.length).toBe(before)
      expect((await ask('/api/x')).status).toBe(200)
    })

    it('a browser that leaves ends its request at the API too', async () => {
      upstream.on('/slow', () => undefined)
      const arrived = upstream.next()
      const sent = sendRequest(raw('/api/slow'))
      sent.once('error', () => undefined).end()
      const request = await arrived
      sent.destroy()
      await request.aborted
    })

    it('a WebSocket opens with the session and echoes, without it or from elsewhere it does not', async () => {
      upstream.onWebSocket((socket) => socket.on('message', (data) => socket.send(String(data))))
      const dial = (headers: Readonly<Record<string, string>>) =>
        new WebSocket(`wss://127.0.0.1:${front.port}/api/socket`, {
          ...raw('/api/socket'),
          headers: { host: world.baseUrl.host, ...headers },
        })
      const socket = dial({ cookie, origin: world.baseUrl.origin })
      await once(socket, 'open')
      socket.send('hello')
      expect(String((await once(socket, 'message'))[0])).toBe('hello')
      socket.close()
      for (const [headers, status] of [
        [{ origin: world.baseUrl.origin }, 401],
        [{ cookie, origin: 'https://evil.example' }, 403],
      ] as const) {
        const [, answer] = await once(dial(headers), 'unexpected-response')
        expect(answer.statusCode).toBe(status)
      }
    })

    it('an event arrives while its stream is open, for browsers that take compressed answers too', async () => {
      const held = Promise.withResolvers<void>()
      upstream.on('/events', async (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
        await held.promise
        response.end('data: last\n\n')
      })
      const { headers, ...place } = raw('/api/events')
      const sent = sendRequest({ ...place, headers: { ...headers, 'accept-encoding': 'gzip, br, zstd' } })
      sent.end()
      const [answer] = await once(sent, 'response')
      expect(answer.headers).not.toHaveProperty('content-encoding')
      expect(String((await once(answer, 'data'))[0])).toBe('data: first\n\n')
      held.resolve()
      expect(String((await once(answer, 'data'))[0])).toBe('data: last\n\n')
    })

    it("the app's pages are compressed, the API's answers are not", async () => {
      const page = await ask('/client.js', { 'accept-encoding': 'gzip' })
      expect(page.headers['content-encoding']).toBe('gzip')
      expect(gunzipSync(page.body).toString()).toContain('createCoatcheck')
      expect(page.headers.vary).toMatch(/accept-encoding/i)
      upstream.on('/big', (response) => {
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ filling: ' '.repeat(9_000) }))
      })
      expect((await ask('/api/big', { 'accept-encoding': 'gzip' })).headers).not.toHaveProperty(
        'content-encoding',
      )
    })

    it('paths reach the API byte for byte', async () => {
      for (const path of ['/a//b/%7Ec;v=1/?x=1&y=%2F', '/a%2Fb%20c', '/a%c3%a9/']) {
        const arrived = upstream.next()
        expect((await ask(`/api${path}`)).status).toBe(200)
        expect((await arrived).target).toBe(path)
      }
    })

    it('the API learns the address of the client and nothing else of what the client says about itself', async () => {
      const arrived = upstream.next()
      const forged = {
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-host': 'forged.example',
        'x-forwarded-proto': 'gopher',
        'x-forwarded-prefix': '/forged',
        'x-forwarded-port': '666',
        'x-real-ip': '6.6.6.6',
        'x-client-ip': '6.6.6.6',
        forwarded: 'for=6.6.6.6;host=forged.example',
        x_forwarded_for: '6.6.6.6',
        authorization: 'Bearer forged',
      }
      expect((await ask('/api/orders', forged)).status).toBe(200)
      const request = await arrived
      expect(valuesOf(request, 'x-forwarded-for')).toEqual([`${clientAddress}, 127.0.0.1`])
      expect(valuesOf(request, 'x-forwarded-proto')).toEqual(['https'])
      expect(valuesOf(request, 'x-forwarded-host')).toEqual([world.baseUrl.host])
      expect(JSON.stringify(request.headers)).not.toMatch(/6\.6\.6\.6|forged|gopher|666/)
    })

    it.each([
      ['CL.TE', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['TE.CL', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n'],
      ['two lengths', 'Content-Length: 0\r\nContent-Length: 40\r\n\r\n'],
      ['a list of lengths', 'Content-Length: 0, 40\r\n\r\n'],
      ['a signed length', 'Content-Length: +0\r\n\r\n'],
      ['a length with a blank', 'Content-Length : 0\r\n\r\n'],
      ['an unknown coding', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
      ['a coding behind another', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
      ['two codings', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['a coding behind a vertical tab', 'Transfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n'],
      ['a coding with a blank before the colon', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
      ['a coding on a folded line', 'X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n'],
      ['bare line feeds', 'X: y\nContent-Length: 0\n\n'],
      ['a bare carriage return', 'X: y\rContent-Length: 40\r\n\r\n'],
      ['a chunk size with a sign', 'Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n'],
      ['a chunk size that overflows', 'Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n'],
      ['a chunk extension with a line feed', 'Transfer-Encoding: chunked\r\n\r\n0;x\n\r\n\r\n'],
      ['a length for an upgrade', 'Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n'],
    ])('no second request slips through behind %s', async (_shape, tail) => {
      const head = `Host: ${world.baseUrl.host}\r\nCookie: ${cookie}\r\nSec-Fetch-Site: same-origin\r\n`
      // The hidden request is what stands behind in the body's place: it counts only where it was not plainly pipelined.
      const hidden = `POST /api/smuggled HTTP/1.1\r\n${head}Content-Length: 0\r\n\r\n`
      const before = smuggled().length
      const outer = `POST /api/outer HTTP/1.1\r\n${head}${tail}`
      const answer = await sendBytes(outer + hidden)
      const answers = answer.split(/HTTP\/1\.1 (?!1\d\d)/).length - 1
      // Two answers: the proxy read two requests, in the open. A hidden one would have arrived without an answer of its own, or beneath another.
      const arrived = smuggled().length - before
      expect([name, _shape, arrived <= Math.max(0, answers - 1)]).toEqual([name, _shape, true])
      await eventually(async () => expect((await ask('/api/after')).text()).not.toContain('smuggled'))
    })
  })
})
