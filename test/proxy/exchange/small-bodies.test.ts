import { connect, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { eventually } from '../../support/eventually.ts'
import { cookie, routeTo, startProxy, type TestProxy } from '../support/harness.ts'

const mostAtOnce = 6
let upstream: Upstream
let proxy: TestProxy
const bodies: string[] = []

beforeAll(async () => {
  upstream = await startUpstream()
  upstream.on('/echo', (response, { body }) => {
    void body.then((bytes) => {
      bodies.push(bytes.toString())
      response.end(bytes)
    })
  })
  const places = { maxInFlight: mostAtOnce, maxInFlightPerSession: mostAtOnce }
  proxy = await startProxy({ routes: [routeTo(upstream.origin, places)] })
})
afterAll(async () => {
  await proxy.stop()
  await upstream.stop()
})

const post = (body: string, more = ''): string =>
  `POST /api/echo HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n${more}content-length: ${body.length}\r\n\r\n${body}`

const open = async (): Promise<Socket> => {
  const socket = connect(proxy.port, '127.0.0.1').setNoDelay(true)
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

/** Writes the pieces, each in a packet of its own, and reads until there are so many answers. */
async function converse(pieces: readonly string[], answers = 1): Promise<readonly string[]> {
  const socket = await open()
  let text = ''
  const { promise, resolve } = Promise.withResolvers<void>()
  const found = () => [...text.matchAll(/\r\n\r\n(.*?)(?=HTTP\/1\.1 |$)/gs)].map(([, body = '']) => body)
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    if (found().length === answers && text.match(/content-length: (\d+)/g)?.length === answers) resolve()
  })
  socket.once('close', resolve)
  for (const piece of pieces) {
    await new Promise((written) => socket.write(piece, written))
    await nextTurn()
    await nextTurn()
  }
  await promise
  socket.destroy()
  return found()
}

test('a small body reaches the API whole, wherever its packets are cut', async () => {
  const whole = post('{"one":1,"two":2}')
  for (let cut = whole.indexOf('\r\n\r\n'); cut < whole.length; cut += 1) {
    expect(await converse([whole.slice(0, cut), whole.slice(cut)])).toEqual(['{"one":1,"two":2}'])
  }
  const head = whole.length - '{"one":1,"two":2}'.length
  expect(await converse([whole.slice(0, head), ...whole.slice(head)])).toEqual(['{"one":1,"two":2}'])
})

test('small bodies in line on one connection reach the API each as its own', async () => {
  const sent = ['first', 'x'.repeat(40_000), 'third', 'y'.repeat(65_536), 'z'.repeat(65_537), 'last']
  bodies.length = 0
  expect(await converse([sent.map((body) => post(body)).join('')], sent.length)).toEqual(sent)
  expect(bodies.toSorted()).toEqual(sent.toSorted())
})

test('an upload whose client leaves at any moment gives its place back', async () => {
  const whole = post('0123456789')
  const head = whole.length - 10
  const cuts = [head, head + 1, head + 5, head + 9, whole.length]
  for (let round = 0; round < 60; round += 1) {
    const sockets = await Promise.all(Array.from({ length: mostAtOnce }, open))
    for (const [at, socket] of sockets.entries()) {
      const cut = cuts[(round + at) % cuts.length] ?? head
      await new Promise((written) => socket.write(whole.slice(0, cut), written))
      for (let turns = round % 4; turns > 0; turns -= 1) await nextTurn()
      if (round % 3 === 0) socket.end()
      else if (round % 3 === 1) socket.resetAndDestroy()
      else socket.destroy()
    }
  }
  await eventually(async () => {
    const answers = await Promise.all(
      Array.from({ length: mostAtOnce }, () => converse([post('0123456789')])),
    )
    expect(answers).toEqual(Array.from({ length: mostAtOnce }, () => ['0123456789']))
  })
})
