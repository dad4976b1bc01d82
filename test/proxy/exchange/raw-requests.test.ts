import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { leaves, readings } from '../../access/path-readings.ts'
import { type ArrivedRequest, valuesOf } from '../../support/api/upstream.ts'
import {
  type Canary,
  type RoutedGateway,
  type RoutePrefix,
  routeTable,
  startCanary,
  startRoutedGateway,
} from '../../support/gateway/routed-gateway.ts'
import { forgeable, refusedTargets } from '../headers/hostile-lists.ts'
import { sendRaw } from '../support/harness.ts'

let gateway: RoutedGateway
let canary: Canary
let arrivedBefore = 0

beforeAll(async () => {
  ;[gateway, canary] = await Promise.all([startRoutedGateway(), startCanary()])
})
afterAll(async () => {
  await gateway.stop()
  await canary.stop()
})
beforeEach(() => {
  arrivedBefore = gateway.arrivals().length
})

/** What reached upstreams since the test began. */
const arrivals = () => gateway.arrivals().slice(arrivedBefore)

const own = (): string => `host: x\r\ncookie: ${gateway.cookie}\r\nsec-fetch-site: same-origin\r\n`
const statusesOf = (text: string): readonly number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))

/**
 * Writes the parts one after the other, each when the one before it has left, and reads until the end of the connection, or until nothing
 * has come for `ms`; for a first answer it waits five times as long.
 */
function converse(parts: readonly string[], ms = 400): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(gateway.port, '127.0.0.1')
    let text = ''
    const finish = setTimeout(() => socket.destroy(), 5 * ms)
    let quiet: NodeJS.Timeout | undefined
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      clearTimeout(finish)
      clearTimeout(quiet)
      quiet = setTimeout(() => socket.destroy(), ms)
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      clearTimeout(finish)
      clearTimeout(quiet)
      resolve(text)
    })
    const write = ([part, ...rest]: readonly string[]): void => {
      if (part === undefined || socket.destroyed) return
      socket.write(part, 'latin1', () => setTimeout(write, 20, rest))
    }
    write(parts)
  })
}

describe('hostile targets', () => {
  it.each(['signed in', 'anonymous'])('reach nobody: %s, all of the list', async (who) => {
    for (const target of refusedTargets) {
      const head = who === 'anonymous' ? 'host: x\r\nsec-fetch-site: same-origin\r\n' : own()
      const text = await sendRaw(gateway.port, `GET ${target} HTTP/1.1\r\n${head}connection: close\r\n\r\n`)
      expect([target, statusesOf(text).filter((status) => ![400, 401, 404].includes(status))]).toEqual([
        target,
        [],
      ])
      expect([target, arrivals().map(({ request }) => request.target)]).toEqual([target, []])
    }
  })

  it.each([
    ['absolute form', 'GET http://CANARY/api/x HTTP/1.1', [400]],
    ['absolute form of our own', 'GET http://x/api/x HTTP/1.1', [400]],
    ['absolute form without a host', 'GET http:///api/x HTTP/1.1', [400]],
    ['absolute form over https', 'GET https://CANARY/open/x HTTP/1.1', [400]],
    ['absolute form of a file', 'GET file:///etc/passwd HTTP/1.1', [400]],
    ['network form', 'GET //CANARY/api/x HTTP/1.1', [400, 404]],
    ['authority form', 'GET CANARY HTTP/1.1', [400]],
    ['asterisk form', 'OPTIONS * HTTP/1.1', [400]],
    ['asterisk form of a GET', 'GET * HTTP/1.1', [400]],
    ['CONNECT to elsewhere', 'CONNECT CANARY HTTP/1.1', [405]],
    ['CONNECT to a route', 'CONNECT /api/x HTTP/1.1', [405]],
    ['TRACE', 'TRACE /api/x HTTP/1.1', [405]],
    ['TRACE on a route without guard', 'TRACE /open/x HTTP/1.1', [405]],
    ['a method in small letters', 'get /api/x HTTP/1.1', [400]],
    ['an unknown method', 'FOO /api/x HTTP/1.1', [400]],
    ['an unusual method', 'PROPFIND /api/x HTTP/1.1', [405]],
    ['a method with a NUL', 'GE\0T /api/x HTTP/1.1', [400]],
    ['an endless method', `${'A'.repeat(5_000)} /api/x HTTP/1.1`, [400]],
    ['HTTP/0.9', 'GET /api/x', [400]],
    ['HTTP/0.9 in words', 'GET /api/x HTTP/0.9', [400]],
    ['HTTP/1.2', 'GET /api/x HTTP/1.2', [400]],
    ['HTTP/2.0', 'GET /api/x HTTP/2.0', [400]],
    ['HTTP/3', 'GET /api/x HTTP/3', [400]],
    ['HTTP in small letters', 'GET /api/x http/1.1', [400]],
    ['a tab', 'GET\t/api/x\tHTTP/1.1', [400]],
    ['a space in the target', 'GET /api/x y HTTP/1.1', [400]],
    ['a NUL in the target', 'GET /api/x\0y HTTP/1.1', [400]],
    ['a target in Latin-1', 'GET /api/\xff HTTP/1.1', [400]],
    ['a target that is too long', `GET /api/${'a'.repeat(40_000)} HTTP/1.1`, [431]],
    ['a method that the route does not list', 'POST /api/admin/x HTTP/1.1', [405]],
    ['a write in disguise', 'DELETE /api/admin/x HTTP/1.1', [405]],
  ])('in a request line with %s reach nobody', async (_what, line, expected) => {
    const text = await sendRaw(
      gateway.port,
      `${line.replace('CANARY', canary.host)}\r\n${own()}connection: close\r\n\r\n`,
    )
    expect(expected).toEqual(expect.arrayContaining([...statusesOf(text)]))
    expect(statusesOf(text)).toHaveLength(1)
    expect(text).not.toMatch(/^HTTP\/1\.1 5/)
    expect([arrivals(), canary.hits()]).toEqual([[], 0])
  })
})

describe('a request that is framed in two ways', () => {
  const chunked = 'transfer-encoding: chunked'
  it.each<[string, readonly string[], string]>([
    ['length and coding', ['content-length: 5', chunked], '0\r\n\r\n'],
    ['coding and length', [chunked, 'content-length: 5'], '0\r\n\r\n'],
    ['a length twice', ['content-length: 2', 'content-length: 2'], 'ok'],
    ['two lengths', ['content-length: 2', 'content-length: 9'], 'ok'],
    ['a list of lengths', ['content-length: 2, 2'], 'ok'],
    ['a signed length', ['content-length: +2'], 'ok'],
    ['a negative length', ['content-length: -2'], 'ok'],
    ['an empty length', ['content-length:'], ''],
    ['a length in hexadecimal', ['content-length: 0x2'], 'ok'],
    ['a length with a space', ['content-length: 2 2'], 'ok'],
    ['a length beyond all numbers', ['content-length: 99999999999999999999'], 'ok'],
    ['a length with a space before the colon', ['content-length : 2'], 'ok'],
    ['an unknown coding', ['transfer-encoding: xchunked'], '0\r\n\r\n'],
    ['a coding in quotes', ['transfer-encoding: "chunked"'], '0\r\n\r\n'],
    ['a coding with a vertical tab', ['transfer-encoding: \x0bchunked'], '0\r\n\r\n'],
    ['an empty coding', ['transfer-encoding:', 'content-length: 2'], 'ok'],
    ['the identity coding', ['transfer-encoding: identity'], 'ok'],
    ['chunked twice', [chunked, chunked], '0\r\n\r\n'],
    ['chunked, chunked', ['transfer-encoding: chunked, chunked'], '0\r\n\r\n'],
    ['chunked and identity', [chunked, 'transfer-encoding: identity'], '0\r\n\r\n'],
    ['a coding that is not undone', ['transfer-encoding: gzip, chunked'], '2\r\nok\r\n0\r\n\r\n'],
    ['a folded coding', ['transfer-encoding:', ' chunked'], '0\r\n\r\n'],
    ['a coding behind a bare line feed', ['x-a: b\ntransfer-encoding: chunked'], '0\r\n\r\n'],
    ['a coding behind a bare carriage return', ['x-a: b\rtransfer-encoding: chunked'], '0\r\n\r\n'],
    ['a NUL in a name', ['transfer\0-encoding: chunked'], '0\r\n\r\n'],
    ['a chunk size with 0x', [chunked], '0x2\r\nok\r\n0\r\n\r\n'],
    ['a chunk size with a space', [chunked], '2 \r\nok\r\n0\r\n\r\n'],
    ['a negative chunk size', [chunked], '-1\r\nx\r\n0\r\n\r\n'],
    ['a chunk size beyond all numbers', [chunked], 'fffffffffffffffff\r\nx\r\n'],
    ['a chunk that lacks its end', [chunked], '2\r\nok0\r\n\r\n'],
    ['a chunk ended by a line feed', [chunked], '2\nok\n0\n\n'],
    ['an extension with a line feed', [chunked], '2;\n\r\nok\r\n0\r\n\r\n'],
    ['an endless extension', [chunked], `2;${'a'.repeat(20_000)}\r\nok\r\n0\r\n\r\n`],
  ])('%s is refused, and what follows is no request', async (_what, lines, body) => {
    const smuggled = `GET /api/smuggled HTTP/1.1\r\n${own()}\r\n`
    const text = await converse([
      `POST /api/x HTTP/1.1\r\n${own()}${lines.join('\r\n')}\r\n\r\n${body}${smuggled}`,
    ])
    expect(statusesOf(text)).toEqual([expect.toBeOneOf([400, 413])])
    expect(arrivals().filter(({ request }) => request.target.includes('smuggled'))).toEqual([])
    // What had begun before the fault showed is given up.
    for (const { request } of arrivals()) await request.aborted
  })

  it.each([
    [
      'HTTP/1.0 with a coding',
      `POST /api/x HTTP/1.0\r\nOWNtransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    ],
    ['two hosts', 'GET /api/x HTTP/1.1\r\nOWNhost: x\r\n\r\n'],
    ['two hosts in two spellings', 'GET /api/x HTTP/1.1\r\nOWNHOST: evil.test\r\n\r\n'],
    ['two hosts over HTTP/1.0', 'GET /api/x HTTP/1.0\r\nOWNhost: y\r\n\r\n'],
    ['a header line without a colon', 'GET /api/x HTTP/1.1\r\nOWNx-a\r\n\r\n'],
    ['a header line that begins with a space', 'GET /api/x HTTP/1.1\r\n x-a: b\r\nOWN\r\n'],
    ['line feeds only', 'GET /api/x HTTP/1.1\nOWN\n'],
    ['257 header lines', `GET /api/x HTTP/1.1\r\nOWN${'a: b\r\n'.repeat(257)}\r\n`],
    ['5,000 header lines', `GET /api/x HTTP/1.1\r\nOWN${'a:\r\n'.repeat(5_000)}\r\n`],
    ['33 KB of headers', `GET /api/x HTTP/1.1\r\nOWNx: ${'y'.repeat(33_000)}\r\n\r\n`],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a PROXY line', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nGET /api/x HTTP/1.1\r\nOWN\r\n'],
  ])('%s is refused and closes the connection', async (_what, bytes) => {
    const text = await converse([bytes.replace('OWN', own())])
    expect(statusesOf(text)).toEqual([expect.toBeOneOf([400, 431])])
    expect(text).toMatch(/^connection: close\r$/im)
    expect(arrivals()).toEqual([])
  })

  it.each([
    ['two hosts', 'GET /api/x HTTP/1.1\r\nOWNhost: x\r\n\r\n', 400],
    ['a host that is none', 'GET /api/x HTTP/1.1\r\nhost: x y\r\n\r\n', 400],
    ['absolute form', 'GET http://x/api/x HTTP/1.1\r\nOWN\r\n', 400],
    ['257 header lines', `GET /api/x HTTP/1.1\r\nOWN${'a: b\r\n'.repeat(257)}\r\n`, 431],
    ['another coding', 'POST /api/x HTTP/1.1\r\nOWNtransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 400],
    [
      'a coding behind a comma',
      'POST /api/x HTTP/1.1\r\nOWNtransfer-encoding: ,chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
  ])('%s is refused with all that came behind it in one packet', async (_what, bytes, status) => {
    const behind = `POST /api/behind HTTP/1.1\r\n${own()}content-length: 2\r\n\r\nok`
    const text = await converse([bytes.replace('OWN', own()) + behind + behind])
    expect(statusesOf(text)).toEqual([status])
    expect(text).toMatch(/^connection: close\r$/im)
    expect(arrivals()).toEqual([])
  })

  it.each([
    ['an empty one', 'host:'],
    ['one with a path', 'host: x/../y'],
    ['one with user information', 'host: x@evil.test'],
    ['one with a space', 'host: x y'],
    ['one with a query', 'host: x?y'],
    ['none', 'x-a: b'],
  ])('a host, %s, is refused', async (_what, line) => {
    const text = await converse([
      `GET /api/x HTTP/1.1\r\n${line}\r\ncookie: ${gateway.cookie}\r\nsec-fetch-site: same-origin\r\n\r\n`,
    ])
    expect(statusesOf(text)).toEqual([400])
    expect(arrivals()).toEqual([])
  })
})

describe('several requests on one connection', () => {
  const get = (target: string, extra = '') => `GET ${target} HTTP/1.1\r\n${own()}${extra}\r\n`

  it('are answered in their order, whichever upstream is faster', async () => {
    gateway.upstreams
      .get('/api')
      ?.on('/v1/slow', (response) => void setTimeout(() => response.end('slow'), 100))
    const text = await converse([get('/api/slow') + get('/api/admin/x') + get('/nowhere')])
    expect(statusesOf(text)).toEqual([200, 200, 404])
    expect(text.indexOf('slow')).toBeLessThan(text.indexOf('admin-api'))
  })

  it('of which the first is refused are each judged for themselves', async () => {
    const foreign = `POST /api/x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello`
    expect(statusesOf(await converse([foreign + get('/api/second')]))).toEqual([403, 200])
    expect(arrivals().map(({ request }) => request.target)).toEqual(['/v1/second'])
  })

  it('of which the first is answered early are not mixed up with its body', async () => {
    gateway.upstreams.get('/api')?.on('/v1/early', (response) => void response.writeHead(422).end('no'))
    const head = `POST /api/early HTTP/1.1\r\n${own()}content-length: 40\r\n\r\n`
    const disguised = 'GET /api/evil HTTP/1.1\r\nhost: x\r\n\r\n'.padEnd(40, ' ')
    const text = await converse([head, disguised.slice(0, 20), disguised.slice(20, 40) + get('/api/after')])
    expect(statusesOf(text)).toEqual([422, 200])
    expect(arrivals().map(({ request }) => request.target)).not.toContain('/v1/evil')
  })

  it('of which the second is garbage never put its refusal into the answer of the first', async () => {
    gateway.upstreams.get('/api')?.on('/v1/half', (response) => {
      response.writeHead(200, { 'content-length': '500' }).write('half')
    })
    const streaming = await converse([get('/api/half'), 'GARBAGE\r\n\r\n'])
    expect(streaming).toMatch(/\r\n\r\nhalf$/)
    gateway.upstreams.get('/api')?.on('/v1/never', () => undefined)
    expect(await converse([get('/api/never'), 'GARBAGE\r\n\r\n'])).toBe('')
  })

  it.each([
    ['Connection: close', '1.1', 'connection: close\r\n'],
    ['HTTP/1.0', '1.0', ''],
  ])(
    'behind one with %s are no requests, and do not cost that one its answer',
    async (_what, version, line) => {
      gateway.upstreams
        .get('/api')
        ?.on('/v1/late', (response) => void setTimeout(() => response.end('late'), 100))
      for (const behind of [get('/api/behind'), 'GARBAGE\r\n\r\n', '\r\n']) {
        const text = await converse([`GET /api/late HTTP/${version}\r\n${own()}${line}\r\n${behind}`, behind])
        expect([statusesOf(text), text.endsWith('late')]).toEqual([[200], true])
      }
      expect(arrivals().map(({ request }) => request.target)).toEqual(['/v1/late', '/v1/late', '/v1/late'])
    },
  )

  it('behind an upgrade that is not wanted are not lost without a word', async () => {
    const text = await converse([
      get('/api/x', 'connection: upgrade\r\nupgrade: h2c\r\n') + get('/api/behind'),
    ])
    expect(statusesOf(text)).toEqual([200])
    expect(text).toMatch(/^connection: close\r$/im)
    expect(arrivals().map(({ request }) => request.target)).toEqual(['/v1/x'])
  })

  it('over HTTP/1.0 end with the first', async () => {
    const old = `GET /api/x HTTP/1.0\r\n${own()}connection: keep-alive\r\n\r\n`
    const text = await converse([old])
    expect(statusesOf(text)).toEqual([200])
    expect(text).not.toMatch(/^transfer-encoding/im)
  })
})

describe('Expect: 100-continue', () => {
  const post = (target: string, extra: string, head = own()) =>
    `POST ${target} HTTP/1.1\r\n${head}content-length: 5\r\n${extra}\r\n`
  const waiting = 'Expect: 100-Continue\r\n'

  it('is answered once the guard has let the request in', async () => {
    const text = await converse([post('/api/x', waiting), 'hello'])
    expect(statusesOf(text)).toEqual([100, 200])
    expect(valuesOf(arrivals()[0]?.request as ArrivedRequest, 'expect')).toEqual([])
  })

  it.each([
    ['by the guard', '/api/x', 'host: x\r\n', 403],
    ['without a session', '/api/x', 'host: x\r\nsec-fetch-site: same-origin\r\n', 401],
    ['by its method', '/api/admin/x', undefined, 405],
    ['at our own endpoint', '/logout', 'host: x\r\n', 403],
    ['because nothing is there', '/nowhere', undefined, 404],
  ])(
    'is not answered when the request is refused %s, and nothing follows',
    async (_what, target, head, status) => {
      const smuggled = `GET /api/smuggled HTTP/1.1\r\n${own()}\r\n`
      const text = await converse([post(target, waiting, head), smuggled])
      expect(statusesOf(text)).toEqual([status])
      expect(text).toMatch(/^connection: close\r$/im)
      expect(arrivals()).toEqual([])
    },
  )

  it('is not answered for a body that is too large', async () => {
    const text = await converse([
      `POST /api/x HTTP/1.1\r\n${own()}content-length: 99999999999\r\n${waiting}\r\n`,
    ])
    expect(statusesOf(text)).toEqual([413])
  })

  it.each(['expect: 100-continue, x\r\n', 'expect: 100-continue\r\nexpect: 100-continue\r\n'])(
    'in another form (%j) invites the body once',
    async (line) => {
      expect(statusesOf(await converse([post('/api/x', line), 'hello']))).toEqual([100, 200])
    },
  )

  it('of another kind is ignored', async () => {
    expect(statusesOf(await converse([`${post('/api/x', 'expect: payment\r\n')}hello`]))).toEqual([200])
  })

  it('at our own endpoint invites a body that is read', async () => {
    const text = await converse([post('/session/refresh', waiting), 'hello'])
    expect(statusesOf(text)).toEqual([100, 200])
  })
})

it('a refused request whose body never comes is answered, and cut two seconds later', async () => {
  const refused = [
    ['POST /api/x', 403],
    ['POST /logout', 403],
    ['POST /backchannel-logout', 415],
    ['POST /nowhere', 404],
    ['PUT /session', 405],
    ['GET /api/%00', 400],
  ] as const
  const seen = await Promise.all(
    refused.map(async ([line]) => {
      const beganMs = Date.now()
      const bytes = `${line} HTTP/1.1\r\nhost: x\r\ncontent-length: 4000\r\n\r\n`
      const text = await converse([bytes, ...Array.from({ length: 400 }, () => 'a')], 6_000)
      return [line, ...statusesOf(text), Date.now() - beganMs < 4_000]
    }),
  )
  expect(seen).toEqual(refused.map(([line, status]) => [line, status, true]))
})

describe('forged headers', () => {
  it('reach no upstream, in any spelling, on any route', async () => {
    const spellings = (name: string) => [name, name.replaceAll('-', '_'), name.toUpperCase()]
    const names = forgeable.filter((name) => name !== 'origin')
    const requests = [0, 1, 2].map((at) => names.map((name) => `${spellings(name)[at]}: forged`))
    for (const [{ prefix, auth }, lines] of routeTable.flatMap((route) =>
      requests.map((lines) => [route, lines] as const),
    )) {
      const text = await sendRaw(
        gateway.port,
        `GET ${prefix}/x HTTP/1.1\r\n${own()}${lines.join('\r\n')}\r\nconnection: close\r\n\r\n`,
      )
      expect([prefix, statusesOf(text)]).toEqual([prefix, [200]])
      const request = arrivals().findLast((each) => each.prefix === prefix)?.request as ArrivedRequest
      expect(request.headers.filter(([, value]) => value.includes('forged'))).toEqual([])
      const tokens = valuesOf(request, 'authorization')
      expect(tokens).toEqual(auth === 'none' ? [] : [expect.stringMatching(/^Bearer eyJ/)])
      expect(JSON.stringify(request.headers)).not.toContain('coatcheck')
    }
  })

  it.each([
    ['host', 'CANARY'],
    ['x-forwarded-host', 'CANARY'],
    ['forwarded', 'host=CANARY'],
    ['x-original-url', 'http://CANARY/'],
    ['x-rewrite-url', '/api/admin/x'],
    ['x-http-method-override', 'DELETE'],
  ])('%s steers nothing', async (name, value) => {
    const line = `${name}: ${value.replace('CANARY', canary.host)}`
    const head = name === 'host' ? `${line}\r\n${own().replace('host: x\r\n', '')}` : `${line}\r\n${own()}`
    const text = await sendRaw(gateway.port, `GET /api/x HTTP/1.1\r\n${head}connection: close\r\n\r\n`)
    expect(statusesOf(text)).toEqual([200])
    expect(arrivals().map(({ prefix, request }) => [prefix, request.method, request.target])).toEqual([
      ['/api', 'GET', '/v1/x'],
    ])
    const [arrived] = arrivals()
    expect(valuesOf(arrived?.request as ArrivedRequest, 'x-forwarded-host')).toEqual([
      new URL(gateway.origin).host,
    ])
    expect(canary.hits()).toBe(0)
  })
})

/** How a target begins: a prefix, plain or in disguise, or one of our own endpoints. */
const start = fc.constantFrom(
  ...routeTable.map(({ prefix }) => prefix),
  ...[
    '',
    '/',
    '//api',
    '/API',
    '/%61pi',
    '/api%2f',
    '/api/%61dmin',
    '/api/Admin',
    '/./api',
    '/x/../api',
    '/login',
    '/session',
  ],
)
const innocent = fc.constantFrom('x', 'a.b', '~', 'admin', 'public', 'audit', '', 'A', ':', '@', '=')
const doubtful = fc.constantFrom(
  ...[
    '..',
    '.',
    '..;',
    ';',
    '%2e',
    '%2E%2e',
    '.%2e',
    '%252e%252e',
    '%2f',
    '..%2f',
    '%5c',
    '..\\',
    '%00',
    '%c0%ae',
  ],
  ...['%61', '%20', '%25', '%', '#', '.. ', '%3f'].map((text) => text.trim()),
)
const segment = fc.oneof({ weight: 3, arbitrary: innocent }, { weight: 2, arbitrary: doubtful })
const target = fc
  .tuple(start, fc.array(segment, { maxLength: 5 }), fc.constantFrom('', '?', '?a=../b&c=%', '?x?y'))
  .map(([begin, segments, query]) => `${[begin, ...segments].join('/')}${query}` || '/')
  .map((text) => (text.startsWith('/') ? text : `/${text}`))

/** The model: the longest prefix that the path literally begins with, as a whole segment. */
function modelRoute(path: string): (typeof routeTable)[number] | undefined {
  return routeTable.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))
}

/** Whether the path means the same to every server: no escapes but of harmless characters, no dots, no doubt. */
function isPlain(path: string): boolean {
  return /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9.~@:=&-]+)+\/?$/.test(path)
}

describe('guard and router', () => {
  it.each(['signed in', 'anonymous'] as const)('never disagree, whatever the target: %s', async (who) => {
    await fc.assert(
      fc.asyncProperty(target, fc.constantFrom('GET', 'POST'), async (hostile, method) => {
        const before = gateway.arrivals().length
        const body = method === 'POST' ? 'content-length: 0\r\n' : ''
        const head = who === 'signed in' ? own() : 'host: x\r\nsec-fetch-site: same-origin\r\n'
        const text = await sendRaw(
          gateway.port,
          `${method} ${hostile} HTTP/1.1\r\n${head}${body}connection: close\r\n\r\n`,
        )
        const reached = gateway.arrivals().slice(before)
        const [path = ''] = hostile.split('?', 1)
        const route = modelRoute(path)
        expect(text).toMatch(/^HTTP\/1\.1 [234]\d\d /)
        expect(reached.length).toBeLessThanOrEqual(1)
        for (const { prefix, request } of reached) {
          expect(prefix).toBe(route?.prefix)
          expectFaithful(request, hostile, route)
          for (const reading of readings(path))
            expect([reading, leaves(reading, prefix)]).toEqual([reading, false])
          expect(valuesOf(request, 'authorization')).toHaveLength(
            who === 'signed in' && route?.auth !== 'none' ? 1 : 0,
          )
          if (who === 'anonymous') expect(route?.auth).not.toBe('required')
        }
        if (route !== undefined && isPlain(path) && !hostile.includes('#')) {
          const methods: readonly string[] | undefined = 'methods' in route ? route.methods : undefined
          const isLetIn =
            methods?.includes(method) !== false && (who === 'signed in' || route.auth !== 'required')
          expect(reached).toHaveLength(isLetIn ? 1 : 0)
        }
      }),
      { numRuns: 500 },
    )
  })
})

/** The upstream's path in place of the prefix, and everything else byte for byte. */
function expectFaithful(
  request: ArrivedRequest,
  hostile: string,
  route: (typeof routeTable)[number] | undefined,
): void {
  const rest = hostile.slice(route?.prefix.length ?? 0)
  const expected = `${route?.path ?? ''}${rest}`
  expect(request.target).toBe(expected.startsWith('/') ? expected : `/${expected}`)
}

/** Prefixes are compared as text above, so a table in the wrong order would model nothing. */
it('the model lists longer prefixes first', () => {
  const prefixes: readonly RoutePrefix[] = routeTable.map(({ prefix }) => prefix)
  for (const [at, prefix] of prefixes.entries()) {
    expect(prefixes.slice(0, at).filter((earlier) => prefix.startsWith(`${earlier}/`))).toEqual([])
  }
})
