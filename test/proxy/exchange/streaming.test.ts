import { type ClientRequest, type IncomingMessage, request as sendRequest } from 'node:http'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream, valuesOf } from '../../support/api/upstream.ts'
import { ownFetch, routeTo, send, sendRaw, settled, startProxy, type TestProxy } from '../support/harness.ts'

const mebibyte = Buffer.alloc(1_048_576, 'm')
const totalMebibytes = 200
/** Well below the streams' 200 MiB, and more than the buffers of four sockets and the system hold. */
const heldBytes = 40 * mebibyte.length

let upstream: Upstream
let proxy: TestProxy

beforeEach(async () => {
  upstream = await startUpstream()
  proxy = await startProxy({ routes: [routeTo(upstream.origin)] })
})

afterEach(async () => {
  await proxy.stop()
  await upstream.stop()
})

function open(target: string, method = 'GET', headers = {}): ClientRequest {
  return sendRequest({
    host: '127.0.0.1',
    port: proxy.port,
    path: target,
    method,
    headers: { ...ownFetch, ...headers },
    agent: false,
  })
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => request.once('response', resolve).once('error', reject))
}

async function writeAll(write: (chunk: Buffer) => boolean, drained: () => Promise<void>): Promise<void> {
  for (let count = 0; count < totalMebibytes; count += 1) if (!write(mebibyte)) await drained()
}

/** The most that was held between sender and receiver: unlike process memory it does not depend on the garbage collector. */
async function mostUnderWay(
  sent: () => number,
  received: () => number,
  work: Promise<unknown>,
): Promise<number> {
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, sent() - received())
  }, 1)
  await work
  clearInterval(timer)
  return most
}

describe('what is held in memory', () => {
  it('stays small during a download of 200 MiB', async () => {
    let sent = 0
    upstream.on('/big', async (response) => {
      response.writeHead(200)
      await writeAll(
        (chunk) => {
          sent += chunk.length
          return response.write(chunk)
        },
        () => new Promise((resolve) => response.once('drain', resolve)),
      )
      response.end()
    })
    const answer = await answerOf(open('/api/big').end())
    let received = 0
    answer.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    const ended = new Promise((resolve) => answer.once('end', resolve))
    const most = await mostUnderWay(
      () => sent,
      () => received,
      ended,
    )
    expect(received).toBe(totalMebibytes * mebibyte.length)
    expect(most).toBeLessThan(heldBytes)
  })

  it('stays small during an upload of 200 MiB', async () => {
    upstream.on('/up', async (response, request, raw) => {
      await new Promise((resolve) => raw.once('end', resolve))
      response.end(String(request.bodyBytes()))
    })
    const request = open('/api/up', 'POST', { 'transfer-encoding': 'chunked' })
    const answer = answerOf(request)
    let sent = 0
    const written = writeAll(
      (chunk) => {
        sent += chunk.length
        return request.write(chunk)
      },
      () => new Promise((resolve) => request.once('drain', resolve)),
    ).then(() => request.end())
    const received = () => upstream.requests[0]?.bodyBytes() ?? 0
    const most = await mostUnderWay(() => sent, received, Promise.all([written, answer]))
    expect(received()).toBe(totalMebibytes * mebibyte.length)
    expect(most).toBeLessThan(heldBytes)
    ;(await answer).resume()
  })
})

describe('back-pressure', () => {
  it('stops the upstream when the browser does not read', async () => {
    let written = 0
    upstream.on('/big', (response) => {
      response.writeHead(200)
      const more = (): void => {
        let hasRoom = true
        while (written < totalMebibytes && hasRoom) {
          hasRoom = response.write(mebibyte)
          written += 1
        }
      }
      response.on('drain', more)
      more()
    })
    const answer = await answerOf(open('/api/big').end())
    answer.pause()
    expect(await settled(() => written)).toBeLessThan(60)
    answer.destroy()
  })

  it('stops the browser when the upstream does not read', async () => {
    upstream.on('/up', (_response, _request, raw) => void raw.pause())
    const request = open('/api/up', 'POST', { 'transfer-encoding': 'chunked' })
    request.once('error', () => undefined)
    let written = 0
    const more = (): void => {
      let hasRoom = true
      while (written < totalMebibytes && hasRoom) {
        hasRoom = request.write(mebibyte)
        written += 1
      }
    }
    request.on('drain', more)
    more()
    expect(await settled(() => written)).toBeLessThan(60)
    request.destroy()
  })
})

describe('an answer', () => {
  it('is aborted at the upstream when the browser leaves in the middle', async () => {
    upstream.on('/endless', (response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('tick'), 5)
      response.once('close', () => clearInterval(timer))
    })
    const answer = await answerOf(open('/api/endless').end())
    answer.destroy()
    await upstream.requests[0]?.aborted
  })

  it('has its head sent at once when the body is late', async () => {
    upstream.on('/late', (response) => response.writeHead(200, { 'content-length': '4' }).flushHeaders())
    const answer = await answerOf(open('/api/late').end())
    expect(answer.statusCode).toBe(200)
    answer.destroy()
  })

  it.each([
    ['HEAD', 200, { 'content-length': '12345' }],
    ['GET', 204, {}],
    ['GET', 304, { etag: '"x"' }],
  ])('to %s with status %i has no body, and the connection stays usable', async (method, status, headers) => {
    upstream.on('/none', (response) => void response.writeHead(status, headers).end())
    const answer = await send(proxy.port, '/api/none', { method })
    expect([answer.status, answer.body]).toEqual([status, ''])
    expect(answer.headers['content-length']).toBe((headers as Record<string, string>)['content-length'])
    expect((await send(proxy.port, '/api/x')).status).toBe(200)
  })

  it.each([1, 255, 2_048, 2_049, 70_000])('of %i bytes of any value arrives as it is', async (length) => {
    const sent = Buffer.from(Array.from({ length }, (_, at) => 255 - (at % 256)))
    upstream.on('/bytes', (response) => void response.writeHead(200, { 'content-length': length }).end(sent))
    const answer = await answerOf(open('/api/bytes').end())
    expect(Buffer.concat((await answer.toArray()) as Buffer[])).toEqual(sent)
  })

  it('keeps ranges and compressed bodies as they are', async () => {
    const packed = gzipSync('hello'.repeat(1_000))
    upstream.on('/gzip', (response) => {
      response.writeHead(206, {
        'content-encoding': 'gzip',
        'content-range': 'bytes 0-9/100',
        'accept-ranges': 'bytes',
      })
      response.end(packed)
    })
    const answer = await answerOf(
      open('/api/gzip', 'GET', { range: 'bytes=0-9', 'accept-encoding': 'gzip' }).end(),
    )
    expect(Buffer.concat((await answer.toArray()) as Buffer[])).toEqual(packed)
    expect([answer.statusCode, answer.headers['content-encoding'], answer.headers['content-range']]).toEqual([
      206,
      'gzip',
      'bytes 0-9/100',
    ])
    expect(valuesOf(upstream.requests[0]!, 'range')).toEqual(['bytes=0-9'])
  })

  it('survives interim ones: 103 and 102 are dropped, the final one passes', async () => {
    upstream.on('/hints', (response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      response.writeProcessing()
      response.end('final')
    })
    expect((await send(proxy.port, '/api/hints')).body).toBe('final')
  })

  it('has no trailers, which would escape the header policy', async () => {
    upstream.on('/trailers', (response) => {
      response.writeHead(200, { trailer: 'set-cookie', 'transfer-encoding': 'chunked' })
      response.write('x')
      response.addTrailers({ 'set-cookie': 'evil=1' })
      response.end()
    })
    const answer = await answerOf(open('/api/trailers', 'GET', { te: 'trailers' }).end())
    await answer.toArray()
    expect([answer.headers.trailer, answer.rawTrailers]).toEqual([undefined, []])
  })
})

describe('a request', () => {
  it('has no trailers at the upstream', async () => {
    const head = `POST /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${ownFetch.cookie}\r\nsec-fetch-site: same-origin\r\ntransfer-encoding: chunked\r\ntrailer: authorization\r\n\r\n`
    await sendRaw(proxy.port, `${head}1\r\nx\r\n0\r\nauthorization: Bearer evil\r\n\r\n`)
    expect(upstream.requests[0]?.trailers).toEqual([])
    expect(valuesOf(upstream.requests[0]!, 'trailer')).toEqual([])
  })

  it('with Expect: 100-continue is told to go on, and arrives without it', async () => {
    const request = open('/api/x', 'POST', { expect: '100-continue', 'content-length': '5' })
    await new Promise((resolve) => request.once('continue', resolve).flushHeaders())
    request.end('hello')
    expect((await answerOf(request)).statusCode).toBe(200)
    expect(valuesOf(upstream.requests[0]!, 'expect')).toEqual([])
  })

  it('gets an early answer although its body is not complete', async () => {
    upstream.on('/early', (response) => void response.writeHead(422, { connection: 'close' }).end('no'))
    const request = open('/api/early', 'POST', { 'transfer-encoding': 'chunked' })
    request.once('error', () => undefined)
    request.write('first')
    const answer = await answerOf(request)
    expect(answer.statusCode).toBe(422)
    expect(Buffer.concat((await answer.toArray()) as Buffer[]).toString()).toBe('no')
    request.destroy()
  })

  it('with a GET body keeps it', async () => {
    const answer = await send(proxy.port, '/api/x', {
      body: 'query',
      headers: { ...ownFetch, 'content-length': '5' },
    })
    expect(answer.json().body).toBe('query')
  })

  it('leaves the upstream when its browser goes silent in the middle of the body', async () => {
    const hasty = await startProxy({ routes: [routeTo(upstream.origin, { idleTimeoutMs: 300 })] })
    const socket = connect(hasty.port, '127.0.0.1')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => undefined).resume()
    socket.write(
      `POST /api/x HTTP/1.1\r\nhost: x\r\ncookie: ${ownFetch.cookie}\r\nsec-fetch-site: same-origin\r\ncontent-length: 9\r\n\r\nabc`,
    )
    await closed
    await upstream.requests[0]?.aborted
    await hasty.stop()
  })
})
