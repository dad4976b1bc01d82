import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { openNetwork, type RawServer, startRawServer, tokenRequest } from './support.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

const ok = (body = '{}'): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`

async function world(answer: Parameters<typeof startRawServer>[0]) {
  const server = await startRawServer(answer)
  const issuerUrl = `http://127.0.0.1:${server.port}`
  const network = openNetwork({ issuerUrl })
  ends.push(server.stop, network.close)
  return { server, issuerUrl, post: () => network.fetch('token')(`${issuerUrl}/token`, tokenRequest) }
}

/** undici takes a connection back a moment after its answer was read, and tells nobody. */
async function first(post: () => Promise<Response>): Promise<void> {
  await post()
  await sleep(50)
}

describe('a connection that the provider closes just when it is used again', () => {
  const second = (act: (socket: Socket) => void) => (socket: Socket, at: { request: number }) =>
    at.request === 1 ? void socket.write(ok()) : act(socket)

  it.each([
    ['in order', (socket: Socket) => void socket.end()],
    ['with a reset', (socket: Socket) => void socket.resetAndDestroy()],
  ])('loses nothing: closed %s, the token request is sent once more', async (_how, close) => {
    const { server, post } = await world((socket, at) =>
      at.connection === 1 ? second(close)(socket, at) : void socket.write(ok('{"again":true}')),
    )
    await first(post)
    expect(await (await post()).json()).toEqual({ again: true })
    expect(server.seen.map(({ connection }) => connection)).toEqual([1, 1, 2])
    expect(server.seen[2]?.text).toContain('refresh_token=rt')
  })

  it('is not tried a third time', async () => {
    const { server, post } = await world((socket, at) =>
      at.connection === 1 ? second((one) => one.end())(socket, at) : void socket.end(),
    )
    await first(post)
    await expect(post()).rejects.toThrow()
    expect(server.seen).toHaveLength(3)
  })

  it('is not tried again once a byte of an answer has come', async () => {
    const { server, post } = await world((socket, at) =>
      second((one) => void one.end('HTTP/1.1 200 OK\r\ncontent-le'))(socket, at),
    )
    await first(post)
    await expect(post()).rejects.toThrow()
    expect(server.seen).toHaveLength(2)
  })
})

describe('a call to the provider', () => {
  const closedAtOnce = (server: RawServer) => server.seen.length

  it('is made once on a connection that never carried an answer', async () => {
    const { server, post } = await world((socket) => void socket.end())
    await expect(post()).rejects.toThrow()
    expect(closedAtOnce(server)).toBe(1)
  })

  it('never follows a redirect', async () => {
    const { post } = await world(
      (socket) => void socket.write('HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n'),
    )
    expect((await post()).status).toBe(302)
  })

  it('reads no more than 1 MiB, however it is coded', async () => {
    const { post } = await world((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n')
      socket.write(Buffer.alloc(2_000_000, 0x20))
    })
    await expect(post()).rejects.toThrow(/1 MiB/)
  })

  it('ends at its deadline, the body included', async () => {
    const { post } = await world(
      (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{'),
    )
    const startedAtMs = performance.now()
    await expect(post()).rejects.toThrow()
    expect(performance.now() - startedAtMs).toBeLessThan(4_000)
  })
})
