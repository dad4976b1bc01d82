import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusedTargets } from '../proxy/headers/hostile-lists.ts'
import { cookie, routeTo, sendRaw, startProxy, type TestProxy } from '../proxy/support/harness.ts'
import { startUpstream, type Upstream } from '../support/api/upstream.ts'

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
    ['CONNECT', 'CANARY', [405]],
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
