import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closeWithin } from '../../../src/http/lifetime/closing.ts'
import { ownerOf } from '../../../src/http/lifetime/life.ts'
import { type OwnedListener, ownLives } from '../../../src/http/lifetime/listener.ts'
import { createListenerServer, createRoot } from '../../../src/http/server/server.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { eventually } from '../../support/eventually.ts'

/** More than the system takes from a server whose client does not read. */
const largeBytes = 16_000_000

let app: FastifyInstance
let listener: OwnedListener
/** How each request ended, by its target. */
let ends: [string | undefined, string][]
let finishSlow: (text: string) => void
/** Answers `/held`. */
let held: () => Promise<string>
/** How many hear of the errors of `/overlong`. */
let hearers: number
const sockets = new Set<Socket>()

beforeEach(async () => {
  ends = []
  const server = createListenerServer({ keepAliveTimeout: 72 })
  app = createRoot({ trustProxy: [] }, silentLogger(), { serverFactory: () => server })
  listener = ownLives(server, app.routing)
  closeWithin(app, listener, 60_000)
  app.addHook('onRequest', (request, _reply, done) => {
    ownerOf(request.raw).hold({ lifeEnded: (end) => void ends.push([request.raw.url, end]) })
    done()
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.all('/early', async () => 'early')
  app.all('/read', async (request) => {
    ownerOf(request.raw).inviteBody()
    let bytes = 0
    for await (const chunk of request.raw) bytes += (chunk as Buffer).length
    return `read ${bytes}`
  })
  app.get('/now', async () => 'now')
  app.get('/large', async () => 'x'.repeat(largeBytes))
  app.get('/held', () => held())
  app.get('/overlong', (_request, reply) => {
    reply.hijack()
    hearers = reply.raw.listenerCount('error')
    reply.raw.end('whole')
    reply.raw.write('more')
  })
  app.get('/slow', () => new Promise<string>((resolve) => (finishSlow = resolve)))
  await app.listen({ port: 0, host: '127.0.0.1' })
})

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await app.close()
})

interface Wire {
  readonly socket: Socket
  readonly received: () => string
  readonly closed: Promise<unknown>
}

async function open(first = '', allowHalfOpen = false): Promise<Wire> {
  const { port } = app.server.address() as AddressInfo
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen })
  sockets.add(socket)
  let received = ''
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1'))).on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(first)
  return { socket, received: () => received, closed: new Promise((resolve) => socket.once('close', resolve)) }
}

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`
const upgrade = (path: string): string =>
  get(
    path,
    'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: x\r\n',
  )
const connectTo = 'CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n'
const stillServes = async (): Promise<void> => {
  const { received } = await open(get('/now'))
  await eventually(() => expect(received()).toContain('now'))
}

describe('a connection that owes an answer', () => {
  it.each([
    ['a WebSocket handshake', upgrade('/now')],
    ['another upgrade', get('/now', 'connection: upgrade\r\nupgrade: h3\r\n')],
    [
      'an upgrade with a body',
      `POST /now HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 4\r\n\r\nbody`,
    ],
    ['CONNECT', connectTo],
  ])('is closed by %s, in one packet or later, and nobody else notices', async (what, bytes) => {
    for (const isLater of [false, true]) {
      const slow = once(app.server, 'request')
      const { socket, received, closed } = await open(isLater ? get('/slow') : get('/slow') + bytes)
      await slow
      if (isLater) socket.write(bytes)
      const isUpgrade = what !== 'another upgrade'
      if (isUpgrade) {
        await closed
        expect(received()).toBe('')
        await eventually(() => expect(ends).toEqual([['/slow', 'browser_gone']]))
        ends.length = 0
      } else socket.destroy()
      await stillServes()
      ends.length = 0
    }
    await eventually(() => expect(listener.connections.size).toBeLessThanOrEqual(2))
  })

  it.each([
    ['a WebSocket handshake', upgrade('/now')],
    ['CONNECT', connectTo],
  ])('and pays it is not brought down by %s behind a request that nobody answers', async (_what, bytes) => {
    const slow = once(app.server, 'checkContinue')
    const paid = await open(get('/slow', 'expect: 100-continue\r\n'))
    const [{ socket }, response] = (await slow) as [IncomingMessage, ServerResponse]
    // The answer is finished, and the connection not closed yet: what the system has read by then comes in this very turn.
    response.once('close', () => socket.emit('data', Buffer.from(get('/now') + bytes)))
    finishSlow('slow')
    await paid.closed
    expect(paid.received()).toMatch(/\r\n\r\nslow$/)
    await stillServes()
  })

  it('whose answers wait in line are all over when it is closed', async () => {
    const { socket } = await open(get('/slow') + get('/now') + get('/slow') + get('/now'))
    await eventually(() => expect([...listener.connections][0]?.lives).toHaveLength(4))
    socket.destroy()
    await eventually(() =>
      expect(ends.map(([, end]) => end)).toEqual(Array.from({ length: 4 }, () => 'browser_gone')),
    )
  })

  it('is over when its client closes its side', async () => {
    const slow = once(app.server, 'request')
    const { socket, closed } = await open(get('/slow'))
    await slow
    socket.end()
    await eventually(() => expect(ends).toEqual([['/slow', 'browser_gone']]))
    finishSlow('late')
    await closed
  })

  it('goes on after an answer that is written to after its end: somebody hears of the error', async () => {
    const { received } = await open(get('/overlong') + get('/now'))
    await eventually(() => expect(received()).toMatch(/whole.*now$/s))
    expect(hearers).toBe(1)
  })

  it('answers a client of HTTP/1.0 and closes', async () => {
    const { received, closed, socket } = await open('GET /now HTTP/1.0\r\nhost: a\r\n\r\n')
    await once(socket, 'end')
    socket.end()
    await closed
    expect(received()).toContain('now')
    expect(ends).toEqual([['/now', 'answered']])
  })
})

describe('a refused upgrade', () => {
  it.each([
    ['when its client closes in order', (socket: Socket) => void socket.end('x')],
    ['when its client resets', (socket: Socket) => void socket.resetAndDestroy()],
    ['when its client does nothing', () => undefined],
    [
      'when its client goes on sending',
      (socket: Socket) => void setInterval(() => socket.write('x'), 50).unref(),
    ],
  ])('leaves no descriptor: %s', async (_what, then) => {
    const wires = await Promise.all(
      Array.from({ length: 50 }, (_, at) => open(at % 2 === 0 ? upgrade('/now') : connectTo)),
    )
    await eventually(() => expect(wires.every(({ received }) => received() !== '')).toBe(true))
    for (const { socket } of wires) then(socket)
    await eventually(() => expect(listener.connections.size).toBe(0), 5_000)
  })
})

describe('an answer that comes before the body has', () => {
  const post = (path: string, length: number, more = ''): string =>
    `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n${more}\r\n`

  it('keeps the connection when the rest is small: the next request on it is answered', async () => {
    const { socket, received } = await open(`${post('/early', 1_000)}${'x'.repeat(10)}`)
    await eventually(() => expect(received()).toContain('early'))
    expect(received()).toMatch(/connection: keep-alive/i)
    socket.write('x'.repeat(990) + get('/now'))
    await eventually(() => expect(received()).toContain('now'))
  })

  it('is announced as the last when the rest is large, and is read whole although the client sends on', async () => {
    const { socket, received, closed } = await open(post('/early', 100_000_000))
    let isOpen = true
    void closed.then(() => (isOpen = false))
    const chunk = Buffer.alloc(65_536)
    await once(socket, 'data')
    for (let sent = 0; isOpen && sent < 100; sent += 1) {
      if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), closed])
    }
    expect(received()).toMatch(/connection: close/i)
    expect(received()).toMatch(/early$/)
    await closed
    await eventually(() => expect(listener.connections.size).toBe(0))
  })

  it.each([
    ['announced to be the last', 'connection: close\r\n'],
    ['of a request that asked whether to send', 'expect: 100-continue\r\n'],
  ])('is not reset when it is %s', async (_what, more) => {
    const { socket, received, closed } = await open(post('/early', 500_000, more))
    await once(socket, 'data')
    socket.write(Buffer.alloc(500_000))
    await once(socket, 'end')
    socket.end()
    await closed
    expect(received()).toMatch(/early$/)
  })

  it('does not hold the connection of a client that sends nothing more', async () => {
    const { received, closed } = await open(post('/early', 1_000))
    await eventually(() => expect(received()).toContain('early'))
    await closed
    await eventually(() => expect(listener.connections.size).toBe(0))
  })

  it('is followed by nothing: what comes behind the last answer is not answered', async () => {
    const { socket, received } = await open(post('/early', 100_000, 'connection: close\r\n'))
    await once(socket, 'data')
    socket.write(Buffer.concat([Buffer.alloc(100_000), Buffer.from(get('/now'))]))
    await eventually(() => expect(listener.connections.size).toBe(0), 5_000)
    expect(received()).not.toContain('now')
    expect(ends).toEqual([['/early', 'answered']])
  })
})

describe('while the listener closes', () => {
  it.each([
    ['an upload', ''],
    ['an upload that asked whether to send', 'expect: 100-continue\r\n'],
    ['an upload with another expectation', 'expect: something\r\n'],
  ])('%s finishes like any other request', async (_what, more) => {
    const { socket, received, closed } = await open(
      `POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n${more}\r\n`,
    )
    await eventually(() => expect([...listener.connections][0]?.isBusy).toBe(true))
    const isClosed = app.close()
    await sleep(900)
    socket.write('body')
    await once(socket, 'end')
    socket.end()
    await Promise.all([closed, isClosed])
    expect(received()).toContain('read 4')
    expect(received()).toMatch(/connection: close/i)
  })

  it('an answer that is all written reaches a client that reads it slowly, and so do those in line behind it', async () => {
    const { socket, received, closed } = await open(get('/large') + get('/now'))
    await once(socket, 'data')
    socket.pause()
    await eventually(() => expect([...listener.connections][0]?.lives).toHaveLength(2))
    const isClosed = app.close()
    await sleep(300)
    socket.resume()
    await Promise.all([closed, isClosed])
    expect(received().length).toBeGreaterThan(largeBytes)
    expect(received().slice(-3)).toBe('now')
  })
})

it('what was reset before it was accepted is not carried out, because nobody can say whose it is', async () => {
  const { port } = app.server.address() as AddressInfo
  const leave = `require('node:net').connect(${port}, '127.0.0.1', function () {
    this.write(${JSON.stringify(get('/now'))}, () => this.resetAndDestroy())
  })`
  // Nothing is accepted here meanwhile.
  execFileSync(process.execPath, ['-e', leave])
  await stillServes()
  await eventually(() => expect(ends.map(([target]) => target)).toEqual(['/now']))
  expect(listener.connections.size).toBe(1)
})

it('a request that was never whole is answered 408 and its connection is closed', async () => {
  const { received, socket } = await open('GET /now HTTP/1.1\r\nhost: a\r\n')
  const error = Object.assign(new Error('slow'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
  await eventually(() => expect(listener.connections.size).toBe(1))
  app.server.emit('clientError', error, [...listener.connections][0]?.socket)
  await once(socket, 'end')
  expect(received()).toMatch(/^HTTP\/1\.1 408 [\s\S]*request_timeout/)
})

describe('requests in line on a connection', () => {
  it.each([
    ['none is answered yet', [get('/slow')], ['/slow']],
    ['the last has its answer already', [get('/slow') + get('/now')], ['/slow', '/now', '/early']],
  ])(
    'are all answered when draining begins while %s, the last one with a word',
    async (_when, before, answered) => {
      const { socket, received, closed } = await open(...before)
      await eventually(() =>
        expect([...listener.connections][0]?.lives).toHaveLength(answered.length > 1 ? 2 : 1),
      )
      listener.beginDraining()
      socket.write(get('/early') + get('/early'))
      await stillServes()
      finishSlow('slow')
      await closed
      expect(received().match(/HTTP\/1.1 200/g)).toHaveLength(answered.length)
      expect(received().match(/^connection: close\r$/gim)).toHaveLength(1)
      expect(ends.filter(([, end]) => end === 'answered').map(([target]) => target)).toEqual(
        expect.arrayContaining(answered),
      )
    },
  )

  it('whose turn has not come when draining begins are answered all the same', async () => {
    let answer: () => void = () => undefined
    const asked = new Promise<void>((resolve) => (answer = resolve))
    held = async () => {
      await asked
      return 'held'
    }
    const { received, closed } = await open(get('/held').repeat(100))
    await eventually(() => expect([...listener.connections][0]?.lives).toHaveLength(100))
    listener.beginDraining()
    const isClosed = app.close()
    answer()
    await Promise.all([closed, isClosed])
    expect(received().match(/HTTP\/1.1 200/g)).toHaveLength(100)
  })

  it('behind the last one are not collected without end', async () => {
    const { socket, closed } = await open(get('/slow', 'connection: close\r\n'))
    await eventually(() => expect([...listener.connections][0]?.isBusy).toBe(true))
    socket.write(get('/now').repeat(500))
    await stillServes()
    finishSlow('slow')
    await closed
    listener.beginDraining()
    const waiting = await open(get('/slow'))
    await eventually(() => expect([...listener.connections].some(({ isBusy }) => isBusy)).toBe(true))
    waiting.socket.write(get('/now').repeat(101))
    await waiting.closed
    expect(waiting.received()).toBe('')
  })

  it('are begun a few at a time, and answered in order however many they are', async () => {
    let begun = 0
    let most = 0
    app.server.prependListener('request', (_request, response: ServerResponse) => {
      response.once('close', () => (begun -= 1))
    })
    held = async () => {
      begun += 1
      most = Math.max(most, begun)
      await sleep(1)
      return `${most}`
    }
    const { received } = await open(get('/held').repeat(500) + get('/now'))
    await eventually(() => expect(received()).toMatch(/now$/))
    expect(most).toBe(32)
    expect(received().match(/HTTP\/1.1 200/g)).toHaveLength(501)
  })

  it('whose turn has not come when their client leaves are not carried out', async () => {
    let begun = 0
    held = () => {
      begun += 1
      return new Promise(() => undefined)
    }
    const { socket } = await open(get('/held').repeat(100))
    await eventually(() => expect([...listener.connections][0]?.lives).toHaveLength(100))
    socket.end()
    await eventually(() => expect(listener.connections.size).toBe(0))
    expect(begun).toBe(32)
  })

  it('are not collected without end', async () => {
    held = () => new Promise(() => undefined)
    const { received, closed } = await open(get('/held').repeat(2_000))
    await closed
    expect(received()).toBe('')
    await stillServes()
  })
})
