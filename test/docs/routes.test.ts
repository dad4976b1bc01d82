import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { certificate, load } from '../config/fixtures.ts'

const docs = new URL('../../docs/', import.meta.url)
const text = readFileSync(new URL('routes.md', docs), 'utf8')
const example = /```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
const published = z.fromJSONSchema(JSON.parse(readFileSync(new URL('routes-file.schema.json', docs), 'utf8')))

describe('the example of docs/routes.md', () => {
  it('is a routes file, and its comments are true', () => {
    const { routes } = load(
      { API_URL: '', ROUTES_FILE: '/etc/routes.yaml' },
      { '/etc/routes.yaml': example, '/etc/certificates/internal-ca.pem': certificate },
    )
    const byPrefix = new Map(routes.map((route) => [route.prefix, route]))
    expect([...byPrefix.keys()]).toEqual([
      '/api',
      '/api/files',
      '/api/reports',
      '/catalogue',
      '/live',
      '/hooks',
    ])
    expect(byPrefix.get('/api/files')).toMatchObject({
      audience: { value: 'https://files.example.com' },
      bodyLimitBytes: 2 ** 31,
      tls: { caPem: certificate },
    })
    expect(byPrefix.get('/api/reports')).toMatchObject({ activeContent: false, methods: ['GET', 'HEAD'] })
    expect(byPrefix.get('/catalogue')).toMatchObject({ auth: 'optional', forwardCookies: ['currency'] })
    expect(byPrefix.get('/live')).toMatchObject({ streamIdleTimeoutMs: 60_000, websocket: true })
    expect(byPrefix.get('/hooks')).toMatchObject({
      auth: 'none',
      audience: undefined,
      forwardAuthorization: true,
      websocket: false,
    })
  })

  it('satisfies the published schema', () => {
    expect(published.safeParse(parse(example)).error).toBeUndefined()
  })
})

describe('the published schema', () => {
  const route = { prefix: '/a', upstream: 'http://a' }
  it.each([
    ['no routes', { routes: [] }],
    ['a key that nobody knows', { routes: [{ ...route, timeout: 3 }] }],
    ['a key beside the routes', { routes: [route], version: 1 }],
    ['no upstream', { routes: [{ prefix: '/a' }] }],
    ['a prefix without its slash', { routes: [{ ...route, prefix: 'a' }] }],
    ['an upstream of another kind', { routes: [{ ...route, upstream: 'ftp://a' }] }],
    ['another auth', { routes: [{ ...route, auth: 'maybe' }] }],
    ['a method in small letters', { routes: [{ ...route, methods: ['get'] }] }],
    ['a negative time', { routes: [{ ...route, connectTimeout: -1 }] }],
    ['a size in words', { routes: [{ ...route, bodyLimit: 'large' }] }],
    ['no room at all', { routes: [{ ...route, maxInFlight: 0 }] }],
  ])('refuses %s, as the gateway does', (_what, value) => {
    expect(published.safeParse(value).success).toBe(false)
    const file = '/etc/routes.json'
    const start = () => load({ API_URL: '', ROUTES_FILE: file }, { [file]: JSON.stringify(value) })
    expect(start).toThrow(/routes\.json:1/)
  })
})
