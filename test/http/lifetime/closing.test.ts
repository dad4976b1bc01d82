import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closeWithin } from '../../../src/http/lifetime/closing.ts'
import { type OwnedListener, ownLives } from '../../../src/http/lifetime/listener.ts'

let app: FastifyInstance
let listener: OwnedListener
let answerSlow: (text: string) => void
const sockets = new Set<Socket>()

async function start(graceMs: number): Promise<void> {
  app = Fastify({ return503OnClosing: false })
  listener = ownLives(app.server, app.routing)
  closeWithin(app, listener, graceMs)
  app.get('/', async () => 'here')
  app.get('/slow', () => new Promise<string>((resolve) => (answerSlow = resolve)))
  await app.listen({ port: 0, host: '127.0.0.1' })
}

// So long that nothing but the grace's own test can be ended by it.
beforeEach(() => start(60_000))
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await app.close()
})

/** A connection, and all that came on it. */
async function open(
  first = '',
): Promise<{ socket: Socket; received: () => string; ended: Promise<unknown> }> {
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  sockets.add(socket)
  let received = ''
  socket.on('data', (chunk) => (received += chunk))
  socket.on('error', () => undefined)
  const accepted = once(app.server, 'connection')
  await once(socket, 'connect')
  await accepted
  socket.write(first)
  return { socket, received: () => received, ended: once(socket, 'close') }
}

const request = (path: string) => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`

async function arrived(path: string): Promise<void> {
  await new Promise<void>((resolve) => {
    app.server.on('request', ({ url }) => url === path && resolve())
  })
}

describe('closing ends', () => {
  it.each([
    ['on which nothing was ever sent', ''],
    ['whose first request never gets whole', 'GET / HTTP/1.1\r\nhost: '],
  ])('although a connection is open %s', async (_what, first) => {
    const { ended } = await open(first)
    await app.close()
    await ended
  })

  it('although a connection is kept alive that was busy when closing began', async () => {
    const slow = arrived('/slow')
    const { ended, received } = await open(request('/slow'))
    await slow
    const closed = app.close()
    answerSlow('finished')
    await Promise.all([closed, ended])
    expect(received()).toContain('finished')
  })

  it('although a request is never answered, once the grace is over', async () => {
    await app.close()
    await start(1_000)
    const slow = arrived('/slow')
    const { ended, received } = await open(request('/slow'))
    await slow
    await app.close()
    await ended
    expect(received()).toBe('')
  })
})

describe('no request is lost', () => {
  it('that is the first on a connection that was opened just before closing began', async () => {
    const { socket, received, ended } = await open()
    const closed = app.close()
    await new Promise((resolve) => setImmediate(resolve))
    socket.write(request('/'))
    await Promise.all([closed, ended])
    expect(received()).toContain('here')
    expect(received()).toMatch(/connection: close/i)
  })

  it('while draining: it is answered, as the last on its connection', async () => {
    const { socket, received, ended } = await open(request('/'))
    await once(socket, 'data')
    expect(received()).toMatch(/connection: keep-alive/i)
    listener.beginDraining()
    expect(listener.isDraining()).toBe(true)
    socket.write(request('/'))
    await ended
    expect(received().match(/here/g)).toHaveLength(2)
    expect(received()).toMatch(/connection: close/i)
  })
})

it('open connections are counted', async () => {
  await open()
  await open()
  expect(listener.connections.size).toBe(2)
})
