import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connectionOf } from '../../../src/http/lifetime/connection.ts'
import { lifeOf } from '../../../src/http/lifetime/life.ts'
import { type OwnedListener, ownLives } from '../../../src/http/lifetime/listener.ts'
import { createListenerServer } from '../../../src/http/server/server.ts'
import { eventually } from '../../support/eventually.ts'

const minuteMs = 60_000
const large = Buffer.alloc(8_000_000, 'x')

let server: Server
let listener: OwnedListener
let client: Socket
/** The server's end of the one connection. */
let ours: Socket

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  server = createListenerServer({ keepAliveTimeout: 72 })
  listener = ownLives(server, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const accepted = once(server, 'connection')
  client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  client.on('error', () => undefined)
  ours = (await accepted)[0] as Socket
})
afterEach(async () => {
  vi.useRealTimers()
  client.destroy()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/large') response.end(large)
  else if (request.url === '/events') response.writeHead(200).write('data: 1\n\n')
  else response.end('ok')
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`
const webSocket =
  'GET /socket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n'

/** Lets time pass for connections, in steps in which they are looked at. */
const pass = (minutes: number): void => void vi.advanceTimersByTime(minutes * minuteMs)
const isOpen = (): boolean => listener.connections.size === 1 && !ours.destroyed

/** Waits until the connection is not read from any more. */
const paused = (): Promise<void> => eventually(() => expect(ours.isPaused()).toBe(true))

describe('a connection on which nothing moves', () => {
  it('though an answer waits for its client is cut after a quarter of an hour, and not before', async () => {
    client.pause().write(get('/large'))
    await eventually(() => expect(ours.writableLength).toBeGreaterThan(0))
    pass(14)
    expect(isOpen()).toBe(true)
    pass(2)
    expect(isOpen()).toBe(false)
  })

  it('is cut when answers in line behind a silent stream keep it from being read: its client may have left', async () => {
    client.write(get('/events') + get('/large'))
    await once(client, 'data')
    client.write(get('/ok'))
    await paused()
    client.end(get('/ok'))
    await once(client, 'finish')
    pass(14)
    expect(isOpen()).toBe(true)
    pass(2)
    expect(isOpen()).toBe(false)
  })

  it('is cut when whoever has taken it over does not read it, and is kept when that reads a little', async () => {
    const upgraded = once(server, 'upgrade')
    client.write(webSocket)
    const [request] = (await upgraded) as [IncomingMessage]
    lifeOf(request)?.upgrade?.take()
    ours.pause()
    for (let round = 0; round < 4; round += 1) {
      pass(10)
      const before = ours.bytesRead
      client.write(Buffer.alloc(100_000))
      ours.resume()
      await eventually(() => expect(ours.bytesRead).toBeGreaterThan(before))
      ours.pause()
      expect(isOpen()).toBe(true)
    }
    pass(20)
    expect(isOpen()).toBe(false)
  })

  it.each([
    ['a silent stream', get('/events')],
    ['a silent stream, and an answer in line behind it', get('/events') + get('/ok')],
  ])('is kept for as long as its client likes: %s', async (_what, bytes) => {
    client.write(bytes)
    await once(client, 'data')
    await eventually(() => expect(connectionOf(ours)?.isBusy).toBe(true))
    pass(600)
    expect(isOpen()).toBe(true)
  })
})
