import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProblem } from '../../support/expect-problem.ts'
import { freePort } from '../../support/ports.ts'
import { ask, ownFetch } from '../../support/questions.ts'
import { type AccessWorld, startAccessWorld } from '../../support/worlds/access-world.ts'

let world: AccessWorld
let port: number
let cookie: string

beforeAll(async () => {
  port = await freePort()
  world = await startAccessWorld([{ prefix: '/app', upstream: 'external' }], { FORWARD_AUTH_PORT: `${port}` })
  cookie = await world.signIn()
})
afterAll(() => world.stop())

/** Sends these bytes, and resolves to what came back until the other side closed, or `until` came. */
function raw(to: number, text: string, until?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect({ host: '127.0.0.1', port: to }, () => void socket.write(text))
    socket.once('error', reject).once('close', () => resolve(received))
    socket.on('data', (chunk) => {
      received += chunk
      if (until?.test(received) === true) socket.destroy()
    })
  })
}

const lines = (fields: Readonly<Record<string, string | readonly string[]>>): string =>
  Object.entries(fields)
    .flatMap(([name, values]) => [values].flat().map((value) => `${name}: ${value}\r\n`))
    .join('')

const question = (more: Readonly<Record<string, string | readonly string[]>> = {}): string =>
  lines({
    host: 'a',
    'x-forwarded-method': 'GET',
    'x-forwarded-uri': '/app/x',
    'x-forwarded-host': 'app.example.com',
    'x-forwarded-proto': 'https',
    cookie,
    ...ownFetch,
    ...more,
  })
const whole = /\r\n\r\n/

describe('a question', () => {
  it.each(['x-forwarded-method', 'x-forwarded-uri', 'x-forwarded-host', 'x-forwarded-proto'])(
    'without %s, with an empty one or with two of them is 400',
    async (name) => {
      const usual = /^x-forwarded-(?:method|uri|host|proto): (.*)$/m
      for (const values of [[], [''], ['GET', 'GET'], ['/app/x', '/app/x'], ['https', 'https'], ['a', 'a']]) {
        const answer = await raw(port, `GET /check HTTP/1.1\r\n${question({ [name]: values })}\r\n`, whole)
        expect([values, answer.split('\r\n', 1)[0]]).toEqual([values, 'HTTP/1.1 400 Bad Request'])
        expect(answer).not.toMatch(usual)
        expect(answer).not.toMatch(/authorization/i)
      }
    },
  )

  it('is not asked by the other kind of names, in capitals or with underscores', async () => {
    const headers = {
      'x-forwarded-method': [],
      'x-forwarded-uri': [],
      'x-original-method': 'GET',
      'x-original-uri': '/app/x',
    }
    expect(await raw(port, `GET /check HTTP/1.1\r\n${question(headers)}\r\n`, whole)).toMatch(
      /^HTTP\/1.1 400/,
    )
    const twins = { 'x-forwarded-method': [], x_forwarded_method: 'GET' }
    expect(await raw(port, `GET /check HTTP/1.1\r\n${question(twins)}\r\n`, whole)).toMatch(/^HTTP\/1.1 400/)
    const spelt = question().replaceAll('x-forwarded', 'X-FORWARDED')
    expect(await raw(port, `GET /check HTTP/1.1\r\n${spelt}\r\n`, whole)).toMatch(/^HTTP\/1.1 200/)
  })

  it('may come by HTTP/1.0, as from nginx that nobody told otherwise', async () => {
    const answer = await raw(port, `GET /check HTTP/1.0\r\n${question()}\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    expect(answer).toMatch(/authorization: Bearer eyJ/)
    expect(answer).toMatch(/connection: close/i)
  })

  it('is answered at once though it announces a body that never comes', async () => {
    for (const length of ['10', '100000000']) {
      const head = `POST /check HTTP/1.1\r\n${question({ 'content-length': length })}\r\n`
      expect(await raw(port, head, whole)).toMatch(/^HTTP\/1.1 200 OK\r\n/)
      const asked = `GET /check HTTP/1.1\r\n${question({ 'content-length': length })}\r\n`
      expect(await raw(port, asked, whole)).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    }
    const expecting = question({ 'content-length': '5', expect: '100-continue' })
    const answer = await raw(port, `POST /check HTTP/1.1\r\n${expecting}\r\n`, whole)
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    const chunked = question({ 'transfer-encoding': 'chunked' })
    expect(await raw(port, `POST /check HTTP/1.1\r\n${chunked}\r\n`, whole)).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  })

  // nginx with `proxy_pass_request_body off` and kept-alive connections, but without `Content-Length ""`, sends heads of such questions.
  it('whose body does not come with it is the last on its connection, so that no later question is taken for that body', async () => {
    const begun = `GET /check HTTP/1.1\r\n${question({ cookie: [] })}x-hides: `
    const hidden = `GET /check HTTP/1.1\r\n${question()}\r\n`
    for (const body of [{ 'content-length': `${begun.length}` }, { 'transfer-encoding': 'chunked' }]) {
      const socket = connect({ host: '127.0.0.1', port })
      let answers = ''
      socket.on('data', (data) => (answers += String(data)))
      socket.write(`GET /check HTTP/1.1\r\n${question(body)}\r\n`)
      await once(socket, 'data')
      socket.write(`${begun}${hidden}`)
      await once(socket, 'close')
      expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200'])
      expect(answers).toMatch(/connection: close/i)
    }
  })

  it('of 10 MB is drained, and the next one on its connection is not part of it', async () => {
    const small = `POST /check HTTP/1.1\r\n${question({ 'content-length': '10' })}\r\n`
    const smuggled = 'GET /check'
    const next = `GET /check HTTP/1.1\r\n${question({ cookie: [] })}\r\n`
    const both = await raw(port, `${small}${smuggled}${next}`, /200 OK[\s\S]*401 Unauthorized/)
    expect(both.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401'])
    const body = 'x'.repeat(10_000_000)
    const large = `POST /check HTTP/1.1\r\n${question({ 'content-length': `${body.length}` })}\r\n${body}`
    expect(await raw(port, large)).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  })

  it('with an upgrade is plain HTTP, and the connection goes on', async () => {
    const handshake = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      origin: world.origin,
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
    }
    const one = `GET /check HTTP/1.1\r\n${question(handshake)}\r\n`
    const socket = connect({ host: '127.0.0.1', port })
    let answers = ''
    for (let count = 0; count < 3; count += 1) {
      socket.write(one)
      answers += String((await once(socket, 'data'))[0])
    }
    socket.destroy()
    expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual(Array.from({ length: 3 }, () => 'HTTP/1.1 200'))
    expect(answers).not.toMatch(/upgrade/i)
    const others = `GET /check HTTP/1.1\r\n${question({ connection: 'Upgrade', upgrade: 'h2c' })}\r\n`
    expect(await raw(port, others, whole)).toMatch(/^HTTP\/1.1 200/)
  })

  it.each([
    ['an absolute target', `GET http://a/check HTTP/1.1\r\n`, {}],
    ['two Hosts', `GET /check HTTP/1.1\r\n`, { host: ['a', 'b'] }],
    ['no Host', `GET /check HTTP/1.1\r\n`, { host: [] }],
    ['two lengths', `POST /check HTTP/1.1\r\n`, { 'content-length': ['1', '2'] }],
    ['CONNECT', `CONNECT a:80 HTTP/1.1\r\n`, {}],
    ['a bare line feed', `GET /check HTTP/1.1\r\nx: y\n\tz\r\n`, {}],
  ])('with %s is none', async (_what, line, fields) => {
    const answer = await raw(port, `${line}${question(fields)}\r\n`, whole)
    expect(answer).toMatch(/^HTTP\/1.1 4\d\d/)
    expect(answer).not.toMatch(/Bearer/)
  })
})

describe('idle time', () => {
  it('begins anew with a question, and only with one that finds the session', async () => {
    const own = await world.signIn()
    const asked = { uri: '/app/x', headers: { ...ownFetch, cookie: own } }
    for (let hours = 0; hours < 4; hours += 1) {
      world.pass(0.9 * 1_800_000)
      expect((await ask(port, asked)).status).toBe(200)
      await world.get('/login')
    }
    world.pass(2 * 1_800_000)
    expectProblem(await ask(port, asked), 401, 'session_expired')
  })
})
