import { afterEach, describe, expect, it } from 'vitest'
import { loopbackTarget } from '../../../src/http/server/loopback-redirect.ts'
import { buildGateway, fetchHeaders, navigationHeaders, type TestGateway } from '../support/gateway.ts'

const baseUrl = new URL('http://localhost:3000')

describe('a name of this machine', () => {
  it.each([
    ['127.0.0.1:3000', '/x?y=1', 'http://localhost:3000/x?y=1'],
    ['127.8.8.8', '/', 'http://localhost:3000/'],
    ['[::1]:3000', '/', 'http://localhost:3000/'],
    ['app.localhost:3000', '/', 'http://localhost:3000/'],
    ['127.0.0.1:3000', '//evil.example', 'http://localhost:3000//evil.example'],
    ['127.0.0.1:3000', '/\\evil.example', 'http://localhost:3000//evil.example'],
    ['127.0.0.1:3000', '/@evil.example', 'http://localhost:3000/@evil.example'],
  ])('%s%s leads to %s', (host, target, expected) => {
    expect(loopbackTarget(baseUrl, host, target)).toBe(expected)
  })

  it.each([
    'localhost:3000',
    'localhost',
    'LOCALHOST:3000',
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '127.0.0.1@evil.example',
    'a@127.0.0.1',
    '127.0.0.1/x',
    '',
    undefined,
  ])('%s stays where it is', (host) => {
    expect(loopbackTarget(baseUrl, host, '/')).toBeUndefined()
  })
})

describe('on the wire', () => {
  let gateway: TestGateway
  afterEach(() => gateway.app.close())
  const get = (host: string, headers: Record<string, string>, url = '/login?returnTo=/x') =>
    gateway.app.inject({ url, headers: { ...headers, host } })

  it('a navigation under another loopback name is sent to BASE_URL, a fetch is not', async () => {
    gateway = await buildGateway({ baseUrl })
    const answer = await get('127.0.0.1:3000', navigationHeaders)
    expect([answer.statusCode, answer.headers.location]).toEqual([
      303,
      'http://localhost:3000/login?returnTo=/x',
    ])
    expect((await get('127.0.0.1:3000', fetchHeaders, '/session')).statusCode).toBe(200)
    expect(gateway.provider.calls).toEqual([])
  })

  it('elsewhere Host decides nothing', async () => {
    gateway = await buildGateway()
    const answer = await get('evil.example', { ...navigationHeaders, 'x-forwarded-host': 'evil.example' })
    expect(answer.headers.location).toMatch(/^https:\/\/issuer\.example\//)
  })
})
