import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { baseUrl, cookie, routeTo, sendRaw, startProxy, type TestProxy } from '../support/harness.ts'

/** An upstream that answers with the bytes of the test at hand, then closes or stays. */
let upstream: Server
let bytes = ''
let closes = false
let resets = false
let proxy: TestProxy
const connections = new Set<Socket>()

beforeAll(async () => {
  upstream = createServer((socket) => {
    connections.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      if (!chunk.toString('latin1').includes('\r\n\r\n')) return
      socket.write(Buffer.from(bytes, 'latin1'), () => closes && socket.end())
      if (resets) setTimeout(() => socket.resetAndDestroy(), 50)
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  proxy = await startProxy({
    routes: [
      routeTo(`http://127.0.0.1:${port}`, {
        connectTimeoutMs: 1_000,
        firstByteTimeoutMs: 1_000,
        idleTimeoutMs: 250,
      }),
    ],
  })
})

afterAll(async () => {
  await proxy.stop()
  for (const socket of connections) socket.destroy()
  await new Promise((resolve) => upstream.close(resolve))
})

const ok = 'content-length: 2\r\n\r\nok'

/** All that the browser gets within the route's timeouts; `isCut` when the connection was closed. */
async function receive(
  answer: string,
  options: {
    method?: string
    closes?: boolean
    resets?: boolean
    times?: number
    until?: (text: string) => boolean
  } = {},
) {
  bytes = answer
  closes = options.closes === true
  resets = options.resets === true
  const head = `${options.method ?? 'GET'} /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n\r\n`
  return sendRaw(proxy.port, head.repeat(options.times ?? 1), options.until)
}

describe('an answer that is not valid HTTP', () => {
  it.each([
    ['two lengths', `HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\nokabc`],
    ['a length twice', `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n${ok}`],
    ['a list of lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok'],
    ['a signed length', 'HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok'],
    [
      'both length and coding',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    [
      'a coding before the last',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    [
      'a coding after the last',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    [
      'a coding that nobody knows',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    ['another coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok'],
    ['an empty coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding:\r\n\r\nok'],
    [
      'two lines of codings',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    [
      'chunked with a parameter',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked;x=1\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    [
      'a blank after a chunk size',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n',
    ],
    ['status 000', `HTTP/1.1 000 OK\r\n${ok}`],
    ['status 099', `HTTP/1.1 099 OK\r\n${ok}`],
    ['a status of two digits', `HTTP/1.1 20 OK\r\n${ok}`],
    ['a status of four digits', `HTTP/1.1 2000 OK\r\n${ok}`],
    ['a control character in the reason', `HTTP/1.1 200 a\x01b\r\n${ok}`],
    ['a DEL in the reason', `HTTP/1.1 200 a\x7fb\r\n${ok}`],
    ['a NUL in a value', `HTTP/1.1 200 OK\r\nx-a: b\0c\r\n${ok}`],
    ['a control character in a value', `HTTP/1.1 200 OK\r\nx-a: b\x01c\r\n${ok}`],
    ['a name with a space', `HTTP/1.1 200 OK\r\nx a: b\r\n${ok}`],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok'],
    ['an empty name', `HTTP/1.1 200 OK\r\n: b\r\n${ok}`],
    ['a bare line feed that splits', `HTTP/1.1 200 OK\r\nx-a: b\nset-cookie: evil=1\r\n${ok}`],
    ['a bare carriage return that splits', `HTTP/1.1 200 OK\r\nx-a: b\rset-cookie: evil=1\r\n${ok}`],
    ['a folded header', `HTTP/1.1 200 OK\r\nx-a: b\r\n set-cookie: evil=1\r\n${ok}`],
    ['line feeds only', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok'],
    ['no head at all', 'ok'],
    ['an unasked 101', `HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\n${ok}`],
    ['a head that is too large', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n${ok}`],
  ])('with %s is 502 with a reason phrase of ours', async (_what, answer) => {
    const text = await receive(answer, { closes: answer === 'ok' })
    expect(text).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n[\s\S]*upstream_unreachable/)
    expect(text).not.toMatch(/set-cookie|evil/)
  })
})

describe('an answer that stops short', () => {
  it.each([
    ['of its length', 'HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nok'],
    ['of its last chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n'],
    ['at a broken chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n'],
    ['in a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\nok'],
  ])('%s looks cut to the browser, and not whole', async (_what, answer) => {
    const text = await receive(answer, { closes: true })
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/)
    const length = /content-length: (\d+)/.exec(text)?.[1]
    if (length !== undefined) expect(text.split('\r\n\r\n')[1]?.length).toBeLessThan(Number(length))
  })

  it('of the end of its connection, by a reset, looks cut too', async () => {
    const text = await receive('HTTP/1.1 200 OK\r\n\r\nok', { resets: true })
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n2\r\nok\r\n$/)
  })

  it('before its head is 502', async () => {
    expect(await receive('', { closes: true })).toMatch(/^HTTP\/1\.1 (?:502|504) /)
  })
})

describe('an answer with more than it announced', () => {
  it('is cut at its length, and the rest answers nobody', async () => {
    const more = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'
    expect(await receive(`HTTP/1.1 200 OK\r\n${ok}${more}`)).toMatch(/\r\n\r\nok$/)
    await sleep(20)
    expect(await receive(`HTTP/1.1 200 OK\r\n${ok}`)).toMatch(/\r\n\r\nok$/)
  })

  it('to HEAD keeps its length and loses its body', async () => {
    const text = await receive(`HTTP/1.1 200 OK\r\n${ok}`, {
      method: 'HEAD',
      until: (seen) => seen.endsWith('\r\n\r\n'),
    })
    expect(text).toMatch(/content-length: 2\r\n[\s\S]*\r\n\r\n$/)
  })

  it.each(['304 Not Modified', '204 No Content'])(
    'with status %s and a length is whole, and the next one comes on the same connection',
    async (status) => {
      const text = await receive(`HTTP/1.1 ${status}\r\ncontent-length: 5\r\n\r\n`, { times: 2 })
      expect(text.match(new RegExp(`^HTTP/1.1 ${status}\\r$`, 'gm'))).toHaveLength(2)
      expect(text).not.toContain('502')
    },
  )

  it('with status 204 has no length', async () => {
    const text = await receive('HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 204 No Content\r\n/)
    expect(text).not.toMatch(/content-length|transfer-encoding/i)
  })
})

describe('an answer that is merely unusual', () => {
  it.each([
    ['no reason', `HTTP/1.1 200\r\n${ok}`, 'HTTP/1.1 200 \r\n'],
    ['a reason in UTF-8', `HTTP/1.1 404 N\xc3\xa3o\r\n${ok}`, 'HTTP/1.1 404 N\xc3\xa3o\r\n'],
    ['a value in Latin-1', `HTTP/1.1 200 OK\r\nx-a: caf\xe9\r\n${ok}`, 'x-a: caf\xe9\r\n'],
    ['a status that nobody knows', `HTTP/1.1 799 Odd\r\n${ok}`, 'HTTP/1.1 799 Odd\r\n'],
    [
      'an unasked upgrade',
      `HTTP/1.1 200 OK\r\nupgrade: h2c\r\nconnection: upgrade\r\n${ok}`,
      'HTTP/1.1 200 OK',
    ],
    [
      'many interim answers',
      `${'HTTP/1.1 103 Early\r\nlink: </x>\r\n\r\n'.repeat(100)}HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\n${ok}`,
      'HTTP/1.1 200 OK',
    ],
  ])('by %s passes', async (_what, answer, expected) => {
    const text = await receive(answer)
    expect(text).toContain(expected)
    expect(text).toMatch(/\r\n\r\nok$/)
    expect(text).not.toMatch(/^(?:upgrade|link):/im)
  })
})

describe('a WebSocket handshake', () => {
  const shake = (answer: string) => {
    bytes = answer
    closes = false
    return sendRaw(
      proxy.port,
      `GET /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\norigin: ${baseUrl.origin}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    )
  }
  it.each([
    ['101 that upgrades nothing', 'HTTP/1.1 101 Switching\r\n\r\n', 502],
    [
      '101 for another key',
      'HTTP/1.1 101 S\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n\r\n',
      502,
    ],
    ['a refusal with a forbidden byte', `HTTP/1.1 409 Conflict\r\nx-a: b\x01c\r\n${ok}`, 502],
    ['a redirect to another host', 'HTTP/1.1 302 F\r\nlocation: http://evil.test/\r\n\r\n', 502],
    ['garbage', 'SSH-2.0\r\n\r\n', 502],
    ['a refusal whose body never ends', 'HTTP/1.1 409 Conflict\r\ncontent-length: 20\r\n\r\nno', 504],
    ['a 200', `HTTP/1.1 200 OK\r\n${ok}`, 200],
  ])('that the upstream answers with %s is answered as HTTP', async (_what, answer, status) => {
    expect(await shake(answer)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(proxy.streams.websocket).toBe(0)
  })
})
