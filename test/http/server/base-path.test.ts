import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildGateway, fetchHeaders, navigationHeaders, type TestGateway } from '../support/gateway.ts'

describe('a gateway beneath a path', () => {
  let gateway: TestGateway
  let spaDir: string

  beforeAll(async () => {
    spaDir = await mkdtemp(join(tmpdir(), 'coatcheck-spa-'))
    await writeFile(join(spaDir, 'index.html'), '<title>desk</title>')
    await writeFile(join(spaDir, 'main.js'), 'run()')
    gateway = await buildGateway({
      baseUrl: new URL('https://app.example.com/desk'),
      basePath: '/desk',
      authPrefix: '/desk',
      routes: [{ prefix: '/desk/api' }],
      spaDir,
    })
  })
  afterAll(async () => {
    await gateway.app.close()
    await rm(spaDir, { recursive: true })
  })

  const open = (url: string, headers: Readonly<Record<string, string>> = navigationHeaders) =>
    gateway.app.inject({ url, headers })

  it('answers at its endpoints there, and nowhere else', async () => {
    const session = await open('/desk/session', fetchHeaders)
    expect(session.json()).toEqual({ authenticated: false, loginUrl: '/desk/login' })
    expect((await open('/session', fetchHeaders)).statusCode).toBe(404)
    expect((await open('/login')).statusCode).toBe(404)
  })

  it('keeps the probes at the root', async () => {
    expect((await open('/livez', {})).statusCode).toBe(200)
    expect((await open('/desk/livez', {})).statusCode).toBe(404)
  })

  it.each([
    ['/desk/login', '/desk/'],
    ['/desk/login?returnTo=/desk/orders', '/desk/orders'],
    ['/desk/login?returnTo=/desk', '/desk'],
    ['/desk/login?returnTo=https://app.example.com/desk/x', '/desk/x'],
  ])('%s leads back to %s', async (url, returnTo) => {
    const answer = await open(url)
    expect(answer.statusCode).toBe(303)
    const sealed = /=([^;]*)/.exec(String(answer.headers['set-cookie']))?.[1] ?? ''
    expect(gateway.context.transactions.open('login', sealed)?.returnTo).toBe(returnTo)
  })

  it.each([
    '/',
    '/orders',
    '/desktop',
    '/DESK/x',
    '/desk/../x',
    '/desk/%2e%2e/x',
    '/desk/api/x',
    '/desk/login',
  ])('nobody returns to %s', async (returnTo) => {
    const answer = await open(`/desk/login?returnTo=${encodeURIComponent(returnTo)}`)
    expect(answer.statusCode).toBe(400)
  })

  it('serves the app there: its files, its routes, and a way from the bare path to its slash', async () => {
    expect((await open('/desk/')).body).toContain('desk')
    expect((await open('/desk/main.js', {})).body).toBe('run()')
    expect((await open('/desk/orders/7')).body).toContain('desk')
    const bare = await open('/desk?x=1')
    expect(bare.statusCode).toBe(303)
    expect(bare.headers.location).toBe('/desk/?x=1')
    for (const outside of ['/', '/orders', '/main.js', '/desktop', '/desk/.git/config'])
      expect((await open(outside)).statusCode).toBe(404)
  })

  it('has pages that lead to the app and to its login', async () => {
    const { body } = await open('/desk/callback?state=unknown')
    expect(body).toContain('href="/desk/"')
    expect(body).toContain('href="/desk/login"')
  })
})
