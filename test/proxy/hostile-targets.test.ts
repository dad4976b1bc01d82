import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { cookie, routeTo, sendRaw, startProxy, type TestProxy } from './harness.ts'

/** Nobody has business here: a connection means that a request steered the gateway. */
let canary: Server
let canaryHits = 0
let upstream: Upstream
let proxy: TestProxy

beforeAll(async () => {
  canary = createServer((socket) => {
    canaryHits += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve))
  upstream = await startUpstream()
  proxy = await startProxy({
    routes: [
      routeTo(`${upstream.origin}/v1`),
      routeTo(`${upstream.origin}/admin-api`, { prefix: '/api/admin', methods: ['GET'] }),
      routeTo(`${upstream.origin}/public`, { prefix: '/open', auth: 'none' }),
      routeTo(upstream.origin, { prefix: '/root' }),
    ],
  })
})

afterAll(async () => {
  await proxy.stop()
  await upstream.stop()
  await new Promise((resolve) => canary.close(resolve))
})

const canaryHost = (): string => `127.0.0.1:${(canary.address() as AddressInfo).port}`

async function get(
  target: string,
  method = 'GET',
  extra = '',
): Promise<{ status: number; reached: readonly string[] }> {
  const before = upstream.requests.length
  const head = `${method} ${target} HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n${extra}\r\n`
  const text = await sendRaw(proxy.port, head)
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
  return { status, reached: upstream.requests.slice(before).map((request) => request.target) }
}

const refusedTargets: readonly string[] = [
  // Dot segments, plain and in every escape.
  '/api/../admin',
  '/api/..',
  '/api/.',
  '/api/./x',
  '/api/x/..',
  '/api/x/../../admin',
  '/api/x/.',
  '/api/../',
  '/api/..?x=1',
  '/api/%2e%2e/admin',
  '/api/%2E%2E/admin',
  '/api/.%2e/admin',
  '/api/%2e./admin',
  '/api/%2e/x',
  '/api/x/%2e%2e',
  '/api/..%2fadmin',
  '/api/..%2Fadmin',
  '/api/%2e%2e%2fadmin',
  '/api/x%2f..%2f..%2fadmin',
  '/api/x%2f%2e%2e%2f',
  '/api/a/..%2f..',
  // Encoded twice, three times, mixed.
  '/api/%252e%252e/admin',
  '/api/%252e%252e%252fadmin',
  '/api/..%252fadmin',
  '/api/%25252e%25252e/x',
  '/api/%2525252e%2525252e/x',
  '/api/%25%32%65%25%32%65/x',
  '/api/x%252f..%252f..',
  '/api/.%252e/x',
  '/api/%2%65%2e/x',
  '/api/%25252525252525252e/x',
  // Path parameters, blanks and queries that other servers strip.
  '/api/..;/admin',
  '/api/..;x=1/admin',
  '/api/.;/x',
  '/api/%2e%2e;/x',
  '/api/..%3b/x',
  '/api/..%3bx/admin',
  '/api/x/..;',
  '/api/..%20/x',
  '/api/..%3f/x',
  '/api/..%23/x',
  '/api/.%3b/x',
  '/api/;/../x',
  '/api/;/admin',
  '/api/;x/admin',
  // Backslashes.
  '/api/..\\admin',
  '/api\\..\\admin',
  '/api/%5c..%5cadmin',
  '/api/..%5cadmin',
  '/api/x\\y',
  '/api/x%5cy',
  '/api/x%5Cy',
  '/api/x%255cy',
  '/api/\\\\evil/x',
  // Control characters.
  '/api/x%00',
  '/api/%00',
  '/api/x%00.json',
  '/api/x%0d%0aHost:%20evil',
  '/api/x%0a',
  '/api/x%0d',
  '/api/x%09y',
  '/api/x%7f',
  '/api/x%1b',
  '/api/x%2500',
  '/api/x%250a',
  // Empty first segments, which begin an authority elsewhere.
  '/api//',
  '/api//evil/x',
  '/api///evil',
  '/api/%2f',
  '/api/%2fevil/x',
  '/api/%2F%2Fevil',
  '/api/%252fevil/x',
  '/root//evil/x',
  '/root/%2fevil',
  // Overlong and broken UTF-8, broken escapes.
  '/api/%c0%ae%c0%ae/x',
  '/api/%c0%af',
  '/api/%e0%80%af',
  '/api/%f0%80%80%af',
  '/api/%e0%80%ae',
  '/api/%25c0%25ae/x',
  '/api/%ff',
  '/api/%80',
  '/api/%',
  '/api/%2',
  '/api/%zz',
  '/api/%u002e%u002e/x',
  '/api/%c3%28',
  '/api/%ed%a0%80',
  // The prefix in disguise: routed here, but not literally here.
  '/%61pi/x',
  '/a%70i/x',
  '/ap%69/x',
  '/%61%70%69',
  '/%61pi/../x',
  '/api%2Fx',
  '/api%2f..%2fadmin',
  '/%2561pi/x',
  // Fragments.
  '/api/x#y',
  '/api#x',
  '/api/x?y#z',
  '/api/#/../x',
  // Elsewhere, and not.
  '/API/x',
  '/Api/x',
  '/apix',
  '/api;x/y',
  '/api;/x',
  '//api/x',
  '/./api/x',
  '/x/../api/x',
  '/;/api/x',
  '/api\u00e9',
  '/api/\u00e9',
  '/api.json',
  '/api~',
  // Around the narrower route and its method list.
  '/api/admin/../x',
  '/api/x/../admin/y',
  '/api/x/%2e%2e/admin/y',
  '/api/%61dmin%2f..%2fx',
  '/api/admin/..;/x',
  // Around the guard by way of the open route.
  '/open/../api/x',
  '/open/..%2fapi/x',
  '/open/%2e%2e/api/x',
  '/open/..;/api/x',
  '/open/..\\api/x',
  '/open//api/x',
]

describe('a hostile target', () => {
  it.each(refusedTargets.map((target) => [target]))('%s is refused and reaches nobody', async (target) => {
    const { status, reached } = await get(target)
    expect(reached).toEqual([])
    expect([400, 404]).toContain(status)
  })

  it.each([
    'http://CANARY/api/x',
    'https://CANARY/api/x',
    'http://x/api/x',
    'http:///api/x',
    '//CANARY/api/x',
    'ftp://CANARY/api/x',
    'http://x@CANARY/api/x',
    '/\\CANARY/api/x',
    '/api/http://CANARY/../x',
  ])('in another form, %s, is refused and steers nothing', async (form) => {
    const { status, reached } = await get(form.replace('CANARY', canaryHost()))
    expect(reached).toEqual([])
    expect([400, 404]).toContain(status)
    expect(canaryHits).toBe(0)
  })

  it.each([
    ['CONNECT', 'CANARY', [0, 400, 404]],
    ['OPTIONS', '*', [400, 404]],
    ['GET', '*', [400, 404]],
    ['TRACE', '/api/x', [405]],
    ['get', '/api/x', [400]],
    ['GETX', '/api/x', [400]],
    ['POST', '/api/admin/x', [405]],
    ['PRI', '*', [400]],
  ])('%s %s is refused', async (method, target, statuses) => {
    const { status, reached } = await get(
      target.replace('CANARY', canaryHost()),
      method,
      method === 'POST' ? 'content-length: 0\r\n' : '',
    )
    expect(reached).toEqual([])
    expect(statuses).toContain(status)
    expect(canaryHits).toBe(0)
  })
})

const faithfulTargets: readonly (readonly [string, string])[] = [
  ['/api', '/v1'],
  ['/api?x=1', '/v1?x=1'],
  ['/api?', '/v1?'],
  ['/api/', '/v1/'],
  ['/api/?', '/v1/?'],
  ['/api/a%2Fb', '/v1/a%2Fb'],
  ['/api/a%2fb%20c', '/v1/a%2fb%20c'],
  ['/api/%F0%9F%98%80/%c3%a9', '/v1/%F0%9F%98%80/%c3%a9'],
  ['/api/x?a=1&a=2&b&=&c=', '/v1/x?a=1&a=2&b&=&c='],
  ['/api/x?next=../../y&path=C:\\z', '/v1/x?next=../../y&path=C:\\z'],
  ['/api/x?q=100%&z=%00', '/v1/x?q=100%&z=%00'],
  ['/api/100%25', '/v1/100%25'],
  ['/api/100%25252525', '/v1/100%25252525'],
  ['/api/a//b', '/v1/a//b'],
  ['/api/.well-known/...x/..x/x..', '/v1/.well-known/...x/..x/x..'],
  ['/api/x;v=1/y;z', '/v1/x;v=1/y;z'],
  ['/api/!$&\'()*+,:@~_-|^{}`"<>', '/v1/!$&\'()*+,:@~_-|^{}`"<>'],
  ['/api/x??y=?', '/v1/x??y=?'],
  ['/api/admin/x', '/admin-api/x'],
  ['/api/administrator', '/v1/administrator'],
  ['/root/x', '/x'],
  ['/root', '/'],
  ['/root?x', '/?x'],
  ['/api/https%3A%2F%2Fexample.com%2Fx', '/v1/https%3A%2F%2Fexample.com%2Fx'],
]

describe('a legal target', () => {
  it.each(faithfulTargets)('%s reaches the upstream as %s', async (target, expected) => {
    expect(await get(target)).toEqual({ status: 200, reached: [expected] })
  })
})

it('the list of hostile targets is as long as promised', () => {
  expect(new Set(refusedTargets).size).toBeGreaterThanOrEqual(120)
  expect(canaryHits).toBe(0)
})
