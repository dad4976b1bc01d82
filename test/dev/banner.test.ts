import { describe, expect, it } from 'vitest'
import { banner } from '../../src/dev/banner.ts'
import type { DemoUser } from '../../src/dev/provider/options.ts'

const ada: DemoUser = { id: 'dev|ada', name: 'Ada', email: 'ada@example.com', permissions: {} }
const may = { ...ada, permissions: { api: ['read:orders'], other: ['read:orders', 'write:orders'] } }

const textWith = (...users: readonly DemoUser[]): string =>
  banner({
    config: { baseUrl: new URL('http://localhost:3000'), spaUrl: undefined, spaDir: undefined, routes: [] },
    provider: { issuer: 'http://127.0.0.1:4455/' },
    users,
    controlUrl: 'http://127.0.0.1:4455/dev',
  }).join('\n')

describe('what coatcheck dev says', () => {
  it('names the permissions of each user, and where they come from when nobody has any', () => {
    expect(textWith(may, { ...ada, name: 'Ben' })).toContain('Ada (read:orders, write:orders), Ben\n')
    expect(textWith(may)).not.toContain('SCOPE')
    expect(textWith(ada)).toContain('without permissions: SCOPE in .env names some')
  })
})
