import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { valuesOf } from '../../support/api/upstream.ts'
import { isNginxLeftOut, startSharedCache } from '../../support/fronts/nginx.ts'
import { type RoutedGateway, startRoutedGateway } from '../../support/gateway/routed-gateway.ts'
import { send } from '../support/harness.ts'

/** What an API may say that makes a shared cache keep its answers. */
const inviting: readonly (readonly [string, Readonly<Record<string, string | string[]>>])[] = [
  ['public', { 'cache-control': 'public, max-age=600' }],
  ['s-maxage', { 'cache-control': 's-maxage=600' }],
  ['max-age alone', { 'cache-control': 'max-age=600' }],
  ['public in two headers', { 'cache-control': ['max-age=600', 'PUBLIC'] }],
  ['private for one field', { 'cache-control': 'public, private="set-cookie", max-age=600' }],
  ['immutable', { 'cache-control': 'public, max-age=31536000, immutable' }],
  ['an expiry', { expires: new Date(Date.now() + 600_000).toUTCString() }],
  ["nginx' own header", { 'x-accel-expires': '600' }],
  [
    "nginx' own header in another spelling",
    { 'X-Accel-Expires': '600', 'cache-control': 'public, max-age=600' },
  ],
  ['headers for CDNs', { 'surrogate-control': 'max-age=600', 'cdn-cache-control': 'max-age=600' }],
  ['a validator', { etag: '"1"', 'last-modified': new Date(0).toUTCString() }],
  ['nothing', {}],
]

describe.skipIf(isNginxLeftOut)('a shared cache in front of the gateway', () => {
  let gateway: RoutedGateway
  let cache: Awaited<ReturnType<typeof startSharedCache>>
  let second: string

  beforeAll(async () => {
    gateway = await startRoutedGateway()
    cache = await startSharedCache(gateway.port)
    second = await gateway.signIn()
    for (const upstream of gateway.upstreams.values()) {
      for (const [at, [, headers]] of inviting.entries()) {
        for (const folder of ['/v1', '/maybe', '/v2']) {
          upstream.on(`${folder}/${at}`, (response, request) => {
            response.writeHead(200, headers).end(valuesOf(request, 'authorization').join())
          })
        }
      }
    }
  })
  afterAll(async () => {
    await cache?.stop()
    await gateway?.stop()
  })

  const ask = (path: string, cookie?: string) =>
    send(cache.port, path, {
      headers: { 'sec-fetch-site': 'same-origin', ...(cookie !== undefined && { cookie }) },
    })

  it.each(inviting.map(([what], at) => [what, at] as const))(
    'never shows one user what another got, when the API says %s',
    async (_what, at) => {
      for (const prefix of ['/api', '/api/maybe']) {
        const path = `${prefix}/${at}`
        const mine = await ask(path, gateway.cookie)
        // Not even for the same user: nothing of it was kept.
        const again = await ask(path, gateway.cookie)
        const theirs = await ask(path, second)
        const nobodys = await ask(path)
        expect(mine.body).toMatch(/^Bearer /)
        expect(theirs.body).toMatch(/^Bearer /)
        expect(theirs.body).not.toBe(mine.body)
        expect(nobodys.body).not.toContain('Bearer')
        expect([path, [mine, again, theirs, nobodys].map(({ headers }) => headers['x-cache'])]).toEqual([
          path,
          ['MISS', 'MISS', 'MISS', 'MISS'],
        ])
      }
    },
  )

  it('keeps what a route without sessions lets it keep, so that it could have kept the others', async () => {
    await ask('/open/0')
    expect((await ask('/open/0')).headers['x-cache']).toBe('HIT')
  })

  it('keeps no refusal and nothing about the session', async () => {
    for (const path of ['/session', '/api/x', '/login', '/nowhere', '/readyz']) {
      const first = await ask(path)
      const again = await ask(path, gateway.cookie)
      expect([path, first.headers['x-cache'], again.headers['x-cache']]).toEqual([path, 'MISS', 'MISS'])
    }
  })
})
