import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routeTo, send, startProxy, type TestProxy } from '../support/harness.ts'

/** An upstream that answers the first request of a connection, and does to the second what the test says. */
let upstream: Server
let proxy: TestProxy
let misbehave: (socket: Socket) => void = () => undefined
let seconds = 0
const connections = new Set<Socket>()

beforeAll(async () => {
  upstream = createServer((socket) => {
    connections.add(socket)
    socket.on('error', () => undefined)
    let requests = 0
    socket.on('data', () => {
      requests += 1
      const isMisbehaving = requests > 1 && seconds === 0
      if (requests > 1) seconds += 1
      if (isMisbehaving) misbehave(socket)
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  proxy = await startProxy({ routes: [routeTo(`http://127.0.0.1:${port}`)] })
})

afterAll(async () => {
  await proxy.stop()
  for (const socket of connections) socket.destroy()
  await new Promise((resolve) => upstream.close(resolve))
})

/** A second request on a connection that has carried one. */
async function askAgain(misbehaviour: (socket: Socket) => void): Promise<number | string> {
  seconds = 0
  misbehave = misbehaviour
  expect((await send(proxy.port, '/api/first')).body).toBe('ok')
  return send(proxy.port, '/api/second').then(
    ({ status }) => status,
    () => 'cut',
  )
}

describe('a request on a connection that was used before', () => {
  const resetLater = (socket: Socket): void => void setTimeout(() => socket.resetAndDestroy(), 20)

  it.each([
    ['garbage', 'SSH-2.0-x\r\n\r\n'],
    ['a length and a coding', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'],
    ['a bare carriage return', 'HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n'],
    ['an unasked 101', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['a coding that stays on', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ])('that is answered with %s is not sent a second time', async (_what, bytes) => {
    expect(await askAgain((socket) => void socket.write(bytes))).toBe(502)
    expect(seconds).toBe(1)
  })

  it.each([
    ['its first byte', 'H'],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n'],
    ['an interim answer', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ])('whose connection is reset or closed after %s is not sent a second time', async (_what, bytes) => {
    expect(await askAgain((socket) => socket.write(bytes, () => resetLater(socket)))).toBe(502)
    expect(seconds).toBe(1)
    expect(await askAgain((socket) => void socket.end(bytes))).toBe(502)
    expect(seconds).toBe(1)
  })

  it('whose connection is reset or closed without a byte is sent once more', async () => {
    expect(await askAgain((socket) => void socket.resetAndDestroy())).toBe(200)
    expect(seconds).toBeGreaterThan(0)
    expect(await askAgain((socket) => void socket.end())).toBe(200)
    expect(seconds).toBeGreaterThan(0)
  })
})
