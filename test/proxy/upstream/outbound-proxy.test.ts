import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { type AddressInfo, connect, createServer as createRawServer, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { RouteConfig } from '../../../src/config/routes/route.ts'
import type { UpstreamWay } from '../../../src/network/outbound-proxy.ts'
import { startTunnelProxy, type TunnelProxy } from '../../network/support.ts'
import { eventually } from '../../support/eventually.ts'
import { type Certificates, makeCertificates } from '../../support/fronts/certificates.ts'
import { baseUrl, cookie, routeTo, send, startProxy, type TestProxy } from '../support/harness.ts'

const ends: (() => unknown)[] = []
let authority: Certificates
let outbound: TunnelProxy
let seen: (string | undefined)[] = []

beforeAll(async () => {
  authority = await makeCertificates('DNS:api.test')
  const pem = (path: string) => readFileSync(path, 'utf8')
  const api = createServer(
    { cert: pem(authority.certificateFile), key: pem(authority.keyFile) },
    (request, response) => {
      seen.push(request.headers.authorization)
      response.end('from afar')
    },
  )
  const sockets = new WebSocketServer({ server: api })
  sockets.on('connection', (socket) => socket.on('message', (text) => socket.send(`${String(text)}!`)))
  await once(api.listen(0, '127.0.0.1'), 'listening')
  outbound = await startTunnelProxy(() => (api.address() as AddressInfo).port)
  ends.push(
    authority.remove,
    () => api.close(),
    () => api.closeAllConnections(),
    outbound.stop,
  )
})

beforeEach(() => {
  outbound.heads.length = 0
  seen = []
})

afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

async function withProxy(
  way: UpstreamWay,
  use: (proxy: TestProxy) => Promise<void>,
  changes: Partial<RouteConfig> = {},
): Promise<void> {
  const tls = { caPem: authority.ca, certPem: undefined, keyPem: undefined }
  const proxy = await startProxy({ routes: [routeTo('https://api.test', { tls, ...changes })], way })
  try {
    await use(proxy)
  } finally {
    await proxy.stop()
  }
}

const throughProxy = (): UpstreamWay => ({ upstreamProxy: 'environment', httpsProxy: outbound.url })

describe('an https API with UPSTREAM_PROXY=environment', () => {
  it('is reached by a tunnel, which is used again, and the proxy sees no token', async () => {
    const httpsProxy = outbound.url.replace('//', '//me:p%40ss@')
    await withProxy({ upstreamProxy: 'environment', httpsProxy }, async (proxy) => {
      for (const target of ['/api/one', '/api/two'])
        expect((await send(proxy.port, target)).body).toBe('from afar')
    })
    expect(outbound.heads).toHaveLength(1)
    expect(outbound.heads[0]).toMatch(/^CONNECT api\.test:443 HTTP\/1\.1\r\n/)
    expect(outbound.heads[0]).toContain(`Basic ${Buffer.from('me:p@ss').toString('base64')}`)
    expect(outbound.heads[0]).not.toContain('token-1')
    expect(seen).toEqual(['Bearer token-1', 'Bearer token-1'])
  })

  it('is reached so by WebSockets too', async () => {
    await withProxy(throughProxy(), async (proxy) => {
      const headers = { cookie, origin: baseUrl.origin }
      const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/api/socket`, { headers })
      await once(socket, 'open')
      socket.send('hello')
      const [answer] = (await once(socket, 'message')) as [Buffer]
      expect(answer.toString()).toBe('hello!')
      socket.terminate()
    })
    expect(outbound.heads.map((head) => head.split(' ')[1])).toEqual(['api.test:443'])
  })

  it.each<[string, () => UpstreamWay, Partial<RouteConfig>]>([
    ['NO_PROXY names it', () => ({ ...throughProxy(), noProxy: ['api.test'] }), {}],
    [
      'it is plain http',
      () => ({ ...throughProxy(), httpProxy: outbound.url }),
      { upstream: new URL('http://api.test') },
    ],
    ['it is on loopback', throughProxy, { upstream: new URL('https://127.0.0.1:9') }],
    ['nobody has asked for it', () => ({ ...throughProxy(), upstreamProxy: 'off' }), {}],
  ])('is not, when %s', async (_why, way, changes) => {
    await withProxy(
      way(),
      async (proxy) => expect((await send(proxy.port, '/api/x')).json().code).toMatch(/^upstream_/),
      changes,
    )
    expect(outbound.heads).toEqual([])
  })

  it('whose certificate is not of UPSTREAM_CA stays unreached, within the tunnel too', async () => {
    await withProxy(
      throughProxy(),
      async (proxy) => expect((await send(proxy.port, '/api/x')).json().code).toBe('upstream_unreachable'),
      { tls: undefined },
    )
    expect(outbound.heads).toHaveLength(1)
    expect(seen).toEqual([])
  })
})

describe('a proxy on the way', () => {
  const sockets = new Set<Socket>()
  async function startOdd(speak: (socket: Socket) => void): Promise<string> {
    const server = createRawServer((socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      socket.on('error', () => undefined)
      speak(socket)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    ends.push(() => server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it.each([
    ['refuses', 'HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n'],
    [
      'answers something else',
      'HTTP/1.1 302 Found\r\nlocation: http://portal.test/\r\ncontent-length: 0\r\n\r\n',
    ],
    ['speaks for the API', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'],
    ['is none', 'SSH-2.0-OpenSSH\r\n'],
  ])('that %s makes the API unreachable, and gets no token', async (_what, answer) => {
    let heard = ''
    const httpsProxy = await startOdd((socket) =>
      socket.on('data', (chunk) => {
        heard += chunk.toString()
        socket.write(answer)
      }),
    )
    await withProxy({ upstreamProxy: 'environment', httpsProxy }, async (proxy) => {
      const refused = await send(proxy.port, '/api/x')
      expect([refused.status, refused.json().code]).toEqual([502, 'upstream_unreachable'])
    })
    expect(heard).not.toContain('token-1')
  })

  it('that never answers costs no more time than a connection may take', async () => {
    const httpsProxy = await startOdd((socket) => socket.resume())
    await withProxy(
      { upstreamProxy: 'environment', httpsProxy },
      async (proxy) => expect((await send(proxy.port, '/api/x')).json().code).toBe('upstream_timeout'),
      { connectTimeoutMs: 200 },
    )
    await eventually(() => expect(sockets.size).toBe(0))
  })

  it('is let go when the browser leaves before the tunnel is there', async () => {
    const httpsProxy = await startOdd((socket) => socket.resume())
    await withProxy(
      { upstreamProxy: 'environment', httpsProxy },
      async (proxy) => {
        const browser = connect(proxy.port, '127.0.0.1')
        browser.write(
          `GET /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n\r\n`,
        )
        await eventually(() => expect(sockets.size).toBe(1))
        browser.destroy()
        await eventually(() => expect(sockets.size).toBe(0))
      },
      { connectTimeoutMs: 60_000 },
    )
  })
})
