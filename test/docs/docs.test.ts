import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ownedPaths } from '../../src/config/endpoints.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

describe('docs/operations.md', () => {
  const page = read('docs/operations.md')

  it('shows the Redis user that is shipped and tested', () => {
    const shipped = read('deploy/redis/users.acl')
      .split('\n')
      .find((line) => line.startsWith('user coatcheck'))
    expect(page).toContain(`\n${shipped?.replace('#PASSWORD_SHA256', '>the-password')}\n`)
  })

  it('quotes log lines that the gateway writes', () => {
    const sources = ['overload', 'address-limits'].map((name) => read(`src/http/limits/${name}.ts`)).join()
    const others = ['health/health', 'connection/invalidation', 'health/fault'].map((name) =>
      read(`src/session/store/redis/${name}.ts`),
    )
    const all = [sources, ...others, read('src/oidc/provider/discovery-lines.ts')].join()
    const quoted = [
      'session store unavailable',
      'session store available again',
      'is out of memory',
      'does not answer in time',
      'cannot save to disk',
      'has too few replicas',
      'is a read-only replica',
      'has a part of its cluster down',
      'refuses our password',
      'denies our user a command',
      'Redis does not allow CLIENT TRACKING to us: sessions are not cached',
      'the identity provider cannot be discovered',
      'overloaded: some requests are turned away',
      'no longer overloaded',
    ]
    for (const line of quoted)
      expect(
        [page, all].map((text) => text.includes(line)),
        line,
      ).toEqual([true, true])
  })
})

describe('docs/service-workers.md', () => {
  it('lets the worker leave alone every endpoint of the gateway, and /api', () => {
    const source = /const gateway = \/(.*)\/\n/.exec(read('docs/service-workers.md'))?.[1]
    const gateway = new RegExp(source ?? '$^')
    for (const path of [...ownedPaths(''), '/api']) {
      expect(gateway.test(path), path).toBe(true)
      expect(gateway.test(`${path}/x`), path).toBe(true)
    }
    for (const path of ['/', '/orders', '/loginx', '/apiary']) expect(gateway.test(path), path).toBe(false)
  })
})
