import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { sendRaw } from '../proxy/support/harness.ts'
import { valuesOf } from '../support/api/upstream.ts'
import { send, signIn, startHouse, type TestHouse } from '../support/worlds/house.ts'

/** One beneath a path, one at the root of the same origin, one of another host. */
const places = {
  desk: { host: 'internal.example.test', path: '/desk' },
  till: { host: 'internal.example.test', path: '' },
  shop: { host: 'shop.example.test', path: '' },
} as const
type Name = keyof typeof places
const names = Object.keys(places) as readonly Name[]

let world: TestHouse
/** What a browser that is signed in everywhere would send if hosts did not matter. */
let cookie: string
beforeAll(async () => {
  world = await startHouse({ changes: { till: { BASE_URL: 'https://internal.example.test' } } })
  const ask: TestHouse['ask'] = (name, path, request = {}) =>
    send(world.port, `${places[name].path}${path}`, {
      ...request,
      headers: { host: places[name].host, ...request.headers },
    })
  const cookies: string[] = []
  for (const name of names) cookies.push(await signIn(ask, name, world.providers[name], 0))
  cookie = cookies.join('; ')
})
afterAll(() => world.stop())

/** Sends a target as it is. */
async function get(
  target: string,
  host: string = places.desk.host,
): Promise<{ status: number; text: string }> {
  const lines = [`GET ${target} HTTP/1.1`, `Host: ${host}`, `Cookie: ${cookie}`]
  const own = ['sec-fetch-site: same-origin', 'x-csrf: 1', 'connection: close']
  const text = await sendRaw(world.port, [...lines, ...own, '', ''].join('\r\n'), () => false)
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), text }
}

const seen: Record<Name, number> = { desk: 0, till: 0, shop: 0 }

/** Where requests have arrived since the last look, each with the token of its own frontend and no cookie of any. */
function arrivals(): readonly (readonly [Name, string])[] {
  return names.flatMap((name) => {
    const { requests } = world.upstreams[name]
    const fresh = requests.slice(seen[name])
    seen[name] = requests.length
    return fresh.map((request): readonly [Name, string] => {
      const [authorization = ''] = valuesOf(request, 'authorization')
      expect(world.providers[name].issued).toContain(authorization.replace(/^Bearer /, ''))
      expect(valuesOf(request, 'cookie')).toEqual([])
      return [name, request.target]
    })
  })
}

describe('a target on the wire, of whoever is signed in at every frontend,', () => {
  it.each<[string, readonly (readonly [Name, string])[], number]>([
    ['/desk/api/x', [['desk', '/x']], 200],
    ['/api/x', [['till', '/x']], 200],
    ['/api/desk/api/x', [['till', '/desk/api/x']], 200],
    ['/desk/api/api/x?/api', [['desk', '/api/x?/api']], 200],
    ['/desktop/api/x', [], 404],
    ['/desk;a/api/x', [], 404],
    ['/desk%2fapi/x', [], 404],
    ['/desk%2Fapi%2fx', [], 404],
    ['/%64esk/api/x', [], 404],
    ['/DESK/api/x', [], 404],
    ['/desk./api/x', [], 404],
    ['/desk%20/api/x', [], 404],
    ['/desk%00/api/x', [], 404],
    ['//desk/api/x', [], 404],
    ['//api/x', [], 404],
    ['/./desk/api/x', [], 404],
    ['/x/../desk/api/x', [], 404],
    ['/x/..;/desk/api/x', [], 404],
    ['/x/%2e%2e/desk/api/x', [], 404],
    ['/x/.%2e/desk/api/x', [], 404],
    ['/desk/../api/x', [], 404],
    ['/desk/..;/api/x', [], 404],
    ['/desk/..;a=b/api/x', [], 404],
    ['/desk/%2e%2e/api/x', [], 404],
    ['/desk/%2E./api/x', [], 404],
    ['/desk/..%2fapi/x', [], 404],
    ['/desk/..\\api/x', [], 404],
    ['/desk\\api/x', [], 404],
    ['/desk/%5c..%5capi/x', [], 404],
    ['/api/../desk/api/x', [], 400],
    ['/api/..%2f..%2fdesk/api/x', [], 400],
    ['/api/%2e%2e%2fdesk/api/x', [], 400],
    ['/desk//api/x', [], 404],
    ['/desk/%61pi/x', [], 400],
  ])('%s', async (target, arrived, status) => {
    const answer = await get(target)
    expect([answer.status, arrivals()]).toEqual([status, arrived])
  })

  const pieces = [
    'desk',
    'api',
    'till',
    'x',
    '..',
    '.',
    '%2e%2e',
    '%2f',
    '/',
    '//',
    '\\',
    ';',
    '..;',
    '%64esk',
    '?',
    '%00',
  ]
  const part = fc.constantFrom(...pieces, 'DESK', '%5c', '.;', '%252e', '%c0%af')
  const seed = inject('seed')

  it(`reaches no API but that of the frontend and route that it names byte by byte (seed ${seed})`, async () => {
    const target = fc.array(part, { minLength: 1, maxLength: 7 }).map((parts) => `/${parts.join('')}`)
    const claim = fc.asyncProperty(target, fc.constantFrom(...names), async (asked, name) => {
      await get(asked, places[name].host)
      for (const [reached] of arrivals()) {
        const [path = ''] = asked.split('?', 1)
        const { host, path: beneath } = places[reached]
        expect(host).toBe(places[name].host)
        expect(path).toMatch(new RegExp(`^${beneath}/api(?:/|$)`))
        expect(path).not.toMatch(/(?:\/|%2f|\\|%5c)(?:\.|%2e){1,2}(?:\/|;|%2f|\\|%5c|$)/i)
        if (host === places.desk.host && reached === 'till') expect(path).not.toMatch(/^\/desk(?:\/|$)/)
      }
    })
    await fc.assert(claim, { seed, numRuns: 300 })
  })
})

describe('an upgrade on the wire', () => {
  const upgrade = async (lines: readonly string[], target: string, protocol = 'websocket') => {
    const asked = [`GET ${target} HTTP/1.1`, ...lines, `Cookie: ${cookie}`, 'Connection: upgrade']
    const own = [
      `Upgrade: ${protocol}`,
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ]
    const text = await sendRaw(world.port, [...asked, ...own, '', ''].join('\r\n'), (seen) =>
      seen.includes('\r\n\r\n'),
    )
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])
  }
  const [shop, desk] = [places.shop.host, places.desk.host]

  it.each<[string, readonly string[], string, number]>([
    ['with two hosts', [`Host: ${shop}`, `Host: ${desk}`, `Origin: https://${shop}`], '/api/x', 400],
    ['of absolute form', [`Host: ${shop}`, `Origin: https://${shop}`], `https://${desk}/api/x`, 400],
    ['of another frontend’s page', [`Host: ${desk}`, `Origin: https://${shop}`], '/desk/api/x', 403],
    [
      'of a host that a stranger forwards',
      [`Host: ${shop}`, `X-Forwarded-Host: ${desk}`, `Origin: https://${desk}`],
      '/api/x',
      403,
    ],
    ['of dot segments', [`Host: ${desk}`, `Origin: https://${desk}`], '/desk/../api/x', 404],
  ])('%s', async (_what, lines, target, status) => {
    expect(await upgrade(lines, target)).toBe(status)
    expect(arrivals()).toEqual([])
  })
})
