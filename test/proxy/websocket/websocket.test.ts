import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { startUpstream, type Upstream, valuesOf } from '../../support/api/upstream.ts'
import { eventually } from '../../support/eventually.ts'
import { baseUrl, cookie, routeTo, sendRaw, settled, startProxy, type TestProxy } from '../support/harness.ts'

let upstream: Upstream
let proxy: TestProxy
const opened: WebSocket[] = []

beforeEach(async () => {
  upstream = await startUpstream()
  proxy = await startProxy({
    routes: [
      routeTo(`${upstream.origin}/v1`, {
        websocketMaxMessageBytes: 1_000_000,
        firstByteTimeoutMs: 500,
        connectTimeoutMs: 100,
      }),
      routeTo(upstream.origin, { prefix: '/plain', websocket: false }),
      routeTo(upstream.origin, { prefix: '/open', auth: 'none' }),
    ],
    maxWebsocketsPerSession: 2,
    idleTimeoutSeconds: 20,
  })
})

afterEach(async () => {
  for (const socket of opened.splice(0)) socket.terminate()
  await proxy.stop()
  await upstream.stop()
})

interface Dial {
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly protocols?: string[]
}

function dial({
  path = '/api/socket?x=%2F',
  headers = { cookie, origin: baseUrl.origin },
  protocols = [],
}: Dial = {}): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}${path}`, protocols, {
    headers,
    perMessageDeflate: true,
  })
  opened.push(socket)
  return socket
}

const open = (socket: WebSocket): Promise<unknown> =>
  new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))

const closed = (socket: WebSocket): Promise<{ code: number; reason: string }> =>
  new Promise((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  )

/** The HTTP answer to a handshake that is not accepted. */
function refused(
  socket: WebSocket,
): Promise<{ status: number | undefined; body: string; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    socket.on('error', () => undefined)
    socket.once('open', () => reject(new Error('was opened')))
    socket.once('unexpected-response', (_request, answer) => {
      const { statusCode: status, headers } = answer
      answer.toArray().then((chunks) => {
        resolve({ status, body: Buffer.concat(chunks as Buffer[]).toString(), headers })
      }, reject)
    })
  })
}

/** An upstream end that echoes. */
function echoUpstream(protocol?: string): { sockets: WebSocket[] } {
  const sockets: WebSocket[] = []
  upstream.onWebSocket((socket) => {
    sockets.push(socket)
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    socket.on('error', () => undefined)
  }, protocol)
  return { sockets }
}

describe('a handshake', () => {
  it('reaches the upstream with the token, without the cookie, on the judged target', async () => {
    echoUpstream()
    await open(dial())
    const [request] = upstream.requests
    expect(request?.target).toBe('/v1/socket?x=%2F')
    expect(valuesOf(request!, 'authorization')).toEqual(['Bearer token-1'])
    for (const name of ['cookie', 'origin', 'sec-websocket-extensions'])
      expect(valuesOf(request!, name)).toEqual([])
    expect(valuesOf(request!, 'sec-websocket-version')).toEqual(['13'])
  })

  it.each([
    ['no cookie', { origin: baseUrl.origin }, 401, 'session_missing'],
    ['a foreign origin', { cookie, origin: 'https://evil.example' }, 403, 'csrf_rejected'],
    [
      'an origin that only begins like ours',
      { cookie, origin: `${baseUrl.origin}.evil.example` },
      403,
      'csrf_rejected',
    ],
    ['a null origin', { cookie, origin: 'null' }, 403, 'csrf_rejected'],
    ['no origin', { cookie, 'x-csrf': '1' }, 403, 'csrf_rejected'],
  ])('with %s is refused as HTTP', async (_what, headers, status, code) => {
    echoUpstream()
    const answer = await refused(dial({ headers: headers as Record<string, string> }))
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code])
    expect(upstream.requests).toEqual([])
  })

  it('on a route without WebSockets, or on none, is refused as HTTP', async () => {
    expect((await refused(dial({ path: '/plain/socket' }))).status).toBe(400)
    expect((await refused(dial({ path: '/nowhere' }))).status).toBe(404)
    expect((await refused(dial({ path: '/%61pi/socket' }))).status).toBe(400)
    expect(upstream.requests).toEqual([])
  })

  it('that the upstream refuses is answered with its own status and body', async () => {
    upstream.onHandshake((socket) => {
      socket.end(
        'HTTP/1.1 409 Conflict\r\ncontent-type: text/plain\r\nserver: secret\r\ncontent-length: 4\r\n\r\nbusy',
      )
    })
    const answer = await refused(dial())
    expect([answer.status, answer.body, answer.headers.server]).toEqual([409, 'busy', undefined])
  })

  it('is 504 when the upstream does not answer, and 502 when it breaks off', async () => {
    upstream.onHandshake(() => undefined)
    expect((await refused(dial())).status).toBe(504)
    upstream.onHandshake((socket) => void socket.destroy())
    const answer = await refused(dial())
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, 'upstream_unreachable'])
  })

  it('beyond the session’s limit is 429, also while others are under way', async () => {
    upstream.onHandshake(() => undefined)
    const pending = [dial(), dial()]
    for (const socket of pending) socket.on('error', () => undefined)
    await eventually(() => expect(upstream.requests).toHaveLength(2))
    expect((await refused(dial())).status).toBe(429)
  })

  it('needs no session on a route without sessions', async () => {
    echoUpstream()
    await open(dial({ path: '/open/socket', headers: {} }))
    expect(valuesOf(upstream.requests[0]!, 'authorization')).toEqual([])
  })

  const h2c = (start: string, body = ''): string =>
    `${start} HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\nx-csrf: 1\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n${body === '' ? '' : `content-length: ${body.length}\r\n`}\r\n${body}`

  it('for another protocol is ignored: h2c is answered as HTTP/1.1, its body forwarded', async () => {
    expect(await sendRaw(proxy.port, h2c('POST /api/x', 'hello'))).toMatch(
      /^HTTP\/1\.1 200 [\s\S]*"body":"hello"/,
    )
  })

  it('for another protocol is ignored by a Node that upgrades everything too, bodies aside', async () => {
    Object.assign(proxy.app.server, { shouldUpgradeCallback: () => true })
    expect(await sendRaw(proxy.port, h2c('GET /api/x'))).toMatch(/^HTTP\/1\.1 200 /)
    expect(await sendRaw(proxy.port, h2c('POST /api/x', 'hello'))).toMatch(/^HTTP\/1\.1 400 /)
  })

  it.each([
    ['POST', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13'],
    ['GET', 'sec-websocket-key: short\r\nsec-websocket-version: 13'],
    ['GET', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 8'],
    [
      'GET',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: a,a',
    ],
  ])('that is malformed is 400 (%s, %s)', async (method, lines) => {
    const head = `${method} /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\norigin: ${baseUrl.origin}\r\nconnection: upgrade\r\nupgrade: websocket\r\n${lines}\r\n\r\n`
    expect(await sendRaw(proxy.port, head)).toMatch(/^HTTP\/1\.1 400 /)
    expect(upstream.requests).toEqual([])
  })
})

describe('an open WebSocket', () => {
  it('passes text and binary both ways, and the subprotocol that the upstream chose', async () => {
    echoUpstream('second')
    const socket = dial({ protocols: ['first', 'second'] })
    await open(socket)
    expect(socket.protocol).toBe('second')
    expect(socket.extensions).toBe('')
    const received: unknown[] = []
    socket.on('message', (data: Buffer, isBinary) => received.push(isBinary ? data : data.toString()))
    socket.send('hello')
    socket.send(Buffer.from([0, 255, 1]))
    await eventually(() => expect(received).toEqual(['hello', Buffer.from([0, 255, 1])]))
  })

  it('passes pings and pongs end to end', async () => {
    const { sockets } = echoUpstream()
    const socket = dial()
    await open(socket)
    const pong = new Promise<Buffer>((resolve) => sockets[0]?.once('pong', resolve))
    sockets[0]?.ping('are you there')
    expect((await pong).toString()).toBe('are you there')
    const back = new Promise<Buffer>((resolve) => socket.once('pong', resolve))
    socket.ping('and you')
    expect((await back).toString()).toBe('and you')
  })

  it.each([
    [1000, 'done'],
    [3456, 'own'],
    [4000, ''],
  ])('passes close code %i both ways', async (code, reason) => {
    const { sockets } = echoUpstream()
    const first = dial()
    await open(first)
    const atUpstream = closed(sockets[0]!)
    first.close(code, reason)
    expect(await atUpstream).toEqual({ code, reason })
    const second = dial()
    await open(second)
    const atBrowser = closed(second)
    sockets[1]?.close(code, reason)
    expect(await atBrowser).toEqual({ code, reason })
  })

  it('tells the browser 1011 when the upstream is lost, and the upstream 1001 when the browser is', async () => {
    const { sockets } = echoUpstream()
    const first = dial()
    await open(first)
    const atBrowser = closed(first)
    sockets[0]?.terminate()
    expect((await atBrowser).code).toBe(1011)
    const second = dial()
    await open(second)
    const atUpstream = closed(sockets[1]!)
    second.terminate()
    expect((await atUpstream).code).toBe(1001)
  })

  it('closes with 1009 on a message that is too large, from either side', async () => {
    const { sockets } = echoUpstream()
    const first = dial()
    await open(first)
    const byBrowser = closed(first)
    first.send(Buffer.alloc(1_000_001))
    expect((await byBrowser).code).toBe(1009)
    const second = dial()
    await open(second)
    const byUpstream = closed(second)
    sockets[1]?.send(Buffer.alloc(1_000_001))
    expect((await byUpstream).code).toBe(1009)
  })

  it('is closed with 4401 within a second of the end of its session', async () => {
    echoUpstream()
    const socket = dial()
    await open(socket)
    const startedAt = Date.now()
    const end = closed(socket)
    proxy.sessions.end()
    expect((await end).code).toBe(4401)
    expect(Date.now() - startedAt).toBeLessThan(1_000)
    await eventually(() => expect(proxy.streams.websocket).toBe(0))
  })

  it('is refused with 401 when the session ends during the handshake', async () => {
    upstream.onHandshake(() => proxy.sessions.end())
    const answer = await refused(dial())
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([401, 'session_expired'])
  })

  it('counts messages of the browser as activity, coalesced, and nothing else', async () => {
    const { sockets } = echoUpstream()
    const socket = dial()
    await open(socket)
    const before = proxy.sessions.touches
    sockets[0]?.send('from upstream')
    socket.ping()
    await sleep(50)
    expect(proxy.sessions.touches).toBe(before)
    for (let count = 0; count < 20; count += 1) socket.send('x')
    await sleep(100)
    expect(proxy.sessions.touches).toBe(before + 1)
  })

  it('is told 1001 when the gateway stops, and is cut when it does not answer', async () => {
    echoUpstream()
    const polite = dial()
    const deaf = dial({ path: '/open/socket', headers: {} })
    await Promise.all([open(polite), open(deaf)])
    deaf.pause()
    const goodbye = closed(polite)
    const startedAt = Date.now()
    await proxy.app.close()
    expect((await goodbye).code).toBe(1001)
    expect(Date.now() - startedAt).toBeLessThan(3_000)
    expect(proxy.streams.websocket).toBe(0)
  })

  it('stops a sender whose other side does not read, both ways', async () => {
    const { sockets } = echoUpstream()
    const socket = dial()
    await open(socket)
    const message = Buffer.alloc(100_000)
    const atUpstream = sockets[0]!
    for (const [from, to] of [
      [socket, atUpstream],
      [atUpstream, socket],
    ] as const) {
      to.removeAllListeners('message')
      to.pause()
      for (let count = 0; count < 400; count += 1) from.send(message)
      expect(await settled(() => from.bufferedAmount)).toBeGreaterThan(20_000_000)
      let bytes = 0
      to.on('message', (data: Buffer) => {
        bytes += data.length
      })
      to.resume()
      await eventually(() => expect(bytes).toBe(40_000_000), 15_000)
    }
  })

  it.each([
    ['an unmasked frame', Buffer.from([0x81, 2, 0x68, 0x69]), 1002],
    ['a frame with a reserved bit', masked(0xc1, 'hi'), 1002],
    ['an unknown frame', masked(0x83, 'hi'), 1002],
    ['text that is not UTF-8', masked(0x81, '\xc3\x28'), 1007],
    ['an announced length beyond all memory', Buffer.from([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0]), 1009],
    ['an endless number of fragments', Buffer.alloc(6 * 20_000, masked(0x01, '')), 1002],
    ['a request of HTTP', Buffer.from('GET /api/smuggled HTTP/1.1\r\nhost: x\r\n\r\n'), 1002],
  ])('that gets %s is closed at both ends, and nothing of it passes', async (_what, bytes, code) => {
    const messages: unknown[] = []
    const upstreamClosed = new Promise((resolve) =>
      upstream.onWebSocket((socket) => {
        socket.on('message', (data) => void messages.push(data)).once('close', resolve)
      }),
    )
    const socket = connect(proxy.port, '127.0.0.1')
    const seen: Buffer[] = []
    socket.on('data', (chunk: Buffer) => void seen.push(chunk))
    const shaken = once(socket, 'data')
    socket.write(
      `GET /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\norigin: ${baseUrl.origin}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    )
    await shaken
    socket.write(bytes)
    await Promise.all([once(socket, 'close'), upstreamClosed])
    const all = Buffer.concat(seen)
    const frame = all.subarray(all.indexOf('\r\n\r\n') + 4)
    expect([frame[0], frame.readUInt16BE(2)]).toEqual([0x88, code])
    expect([messages, upstream.requests.length]).toEqual([[], 1])
  })
})

/** A frame as a browser sends it, with a mask that changes nothing. */
function masked(first: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([first, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text, 'latin1')])
}
