import { once } from 'node:events'
import { IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { overdue } from '../../../src/proxy/exchange/exchange-phase.ts'
import { Upload } from '../../../src/proxy/exchange/upload.ts'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { eventually } from '../../support/eventually.ts'
import { cookie, routeTo, startProxy, type TestProxy } from '../support/harness.ts'

let upstream: Upstream | undefined
let raw: Server | undefined
let proxy: TestProxy | undefined
const sockets = new Set<Socket>()

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await proxy?.stop()
  await upstream?.stop()
  raw?.close()
  proxy = upstream = raw = undefined
})

const head = `cookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n`

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  sockets.add(socket)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

describe('the first-byte timeout', () => {
  it('begins when the upstream has the request: an upload that it reads steadily is not cut', async () => {
    const length = 12_000_000
    // An API that reads three megabytes a second, in strides, and answers in the end.
    raw = createServer((socket) => {
      sockets.add(socket)
      let bytes = 0
      socket.on('error', () => undefined)
      const timer = setInterval(() => {
        socket.resume()
        socket.once('data', (chunk: Buffer) => {
          socket.pause()
          bytes += chunk.length
          if (bytes < length) return
          clearInterval(timer)
          socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone')
        })
      }, 20)
      socket.pause()
    }).listen(0, '127.0.0.1')
    await once(raw, 'listening')
    proxy = await startProxy({
      routes: [
        routeTo(`http://127.0.0.1:${(raw.address() as AddressInfo).port}`, {
          firstByteTimeoutMs: 500,
          idleTimeoutMs: 10_000,
        }),
      ],
    })
    const socket = await open(proxy.port)
    socket.write(`POST /api/x HTTP/1.1\r\nhost: x\r\n${head}content-length: ${length}\r\n\r\n`)
    const startedAt = Date.now()
    socket.write(Buffer.alloc(length))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /)
    expect(Date.now() - startedAt).toBeGreaterThan(1_000)
  }, 30_000)

  it('cuts an upload that the upstream does not read, by the idle timeout: 504', async () => {
    raw = createServer((socket) => {
      sockets.add(socket)
      socket.pause().on('error', () => undefined)
    }).listen(0, '127.0.0.1')
    await once(raw, 'listening')
    proxy = await startProxy({
      routes: [
        routeTo(`http://127.0.0.1:${(raw.address() as AddressInfo).port}`, {
          firstByteTimeoutMs: 60_000,
          idleTimeoutMs: 500,
        }),
      ],
    })
    const socket = await open(proxy.port)
    socket.write(`POST /api/x HTTP/1.1\r\nhost: x\r\n${head}content-length: 50000000\r\n\r\n`)
    socket.write(Buffer.alloc(30_000_000))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 504 [\s\S]*upstream_timeout/)
  })
})

it('a browser that reads slowly is no silent upstream', async () => {
  upstream = await startUpstream()
  const length = 30_000_000
  upstream.on('/large', (response) => {
    response.writeHead(200, { 'content-length': length }).end(Buffer.alloc(length))
  })
  proxy = await startProxy({ routes: [routeTo(upstream.origin, { idleTimeoutMs: 300 })] })
  const socket = await open(proxy.port)
  let bytes = 0
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
  socket.write(`GET /api/large HTTP/1.1\r\nhost: x\r\n${head}\r\n`)
  await once(socket, 'data')
  socket.pause()
  // Much longer than the upstream may be silent.
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  socket.resume()
  await eventually(() => expect(bytes).toBeGreaterThan(length), 10_000)
})

describe('an upload keeps its least rate', () => {
  const sweepsOf = (seconds: number): number => seconds * 4
  const limits = {
    firstByteTimeoutMs: 0,
    idleTimeoutMs: 0,
    uploadMinRate: 128,
  }

  /** A body that grows by so many bytes at each sweep. */
  function uploadOf(bytesPerSweep: (sweep: number) => number, isPaused = false) {
    const source = new IncomingMessage(undefined as unknown as Socket)
    const upload = new Upload(source, { mayPass: () => true })
    upload.on('data', () => undefined)
    upload.resume()
    if (isPaused) upload.pause()
    return {
      upload,
      /** The sweep at which it is found too slow; 0: never. */
      run(sweeps: number): number {
        for (let sweep = 1; sweep <= sweeps; sweep += 1) {
          const bytes = bytesPerSweep(sweep)
          if (bytes > 0) source.emit('data', Buffer.alloc(bytes))
          if (overdue('waiting', upload, limits, 0) !== undefined) return sweep
        }
        return 0
      },
    }
  }

  it.each([
    ['nothing comes', () => 0, 30],
    ['two bytes a second come', (sweep: number) => (sweep % 2 === 0 ? 1 : 0), 30],
    ['a byte comes every 55 seconds', (sweep: number) => (sweep % 220 === 0 ? 1 : 0), 30],
    ['a burst comes and then nothing', (sweep: number) => (sweep === 1 ? 100_000 : 0), 60],
  ])('or is answered 408 within a minute: %s', (_what, bytes, seconds) => {
    expect(uploadOf(bytes).run(sweepsOf(120))).toBe(sweepsOf(seconds))
  })

  it('and goes on for ever when it does', () => {
    expect(uploadOf(() => 32).run(sweepsOf(600))).toBe(0)
  })

  it('while the upstream takes nothing no time passes for it', () => {
    expect(uploadOf(() => 0, true).run(sweepsOf(600))).toBe(0)
  })

  it('of 0 is any', () => {
    const { upload } = uploadOf(() => 0)
    for (let sweep = 0; sweep < sweepsOf(600); sweep += 1) {
      expect(overdue('waiting', upload, { ...limits, uploadMinRate: 0 }, 0)).toBe(undefined)
    }
  })

  // A small rest would be waited for behind any other answer.
  it.each([100_000, 1_000])(
    'or the browser sees the answer, and its connection is closed: %i bytes',
    async (length) => {
      upstream = await startUpstream()
      upstream.on('/x', () => undefined)
      proxy = await startProxy({ routes: [routeTo(upstream.origin, { idleTimeoutMs: 300 })] })
      const socket = await open(proxy.port)
      socket.write(`POST /api/x HTTP/1.1\r\nhost: x\r\n${head}content-length: ${length}\r\n\r\nbegin`)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 408 [\s\S]*connection: close[\s\S]*request_timeout/i)
      await once(socket, 'close')
      await upstream.requests[0]?.aborted
    },
  )
})
