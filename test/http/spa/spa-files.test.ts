import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildGateway, fetchHeaders, navigationHeaders, type TestGateway } from '../support/gateway.ts'

const files = {
  'index.html': '<!doctype html><title>App</title>',
  'favicon.ico': 'icon',
  'robots.txt': 'robots',
  'assets/index-D1wrgTda.js': 'hashed',
  'assets/main.3f2a1b9c.css': 'hashed',
  'assets/component.js': 'plain',
  'assets/photo-20240101.png': 'plain',
  '.env': 'SECRET=1',
  '.git/config': 'secret',
  'assets/.hidden.js': 'secret',
  '.well-known/security.txt': 'contact',
}

let folder: string
let outside: string
let gateway: TestGateway
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-spa-'))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  outside = await mkdtemp(join(tmpdir(), 'coatcheck-outside-'))
  await writeFile(join(outside, 'secret.txt'), 'secret')
  await symlink(join(outside, 'secret.txt'), join(folder, 'leak.txt'))
  await symlink(outside, join(folder, 'leak'))
  await symlink('assets', join(folder, 'current'))
  gateway = await buildGateway({ spaDir: folder })
})
afterAll(async () => {
  await gateway.app.close()
  await rm(folder, { recursive: true })
  await rm(outside, { recursive: true })
})

const get = (url: string, headers: Record<string, string> = {}) => gateway.app.inject({ url, headers })

describe('the built app', () => {
  it.each(['/', '/index.html', '/orders', '/orders/17?tab=2', '/users/john.doe', '/apiary'])(
    'answers a navigation to %s with its start page, which is never cached unseen',
    async (url) => {
      const answer = await get(url, navigationHeaders)
      expect([answer.statusCode, answer.body]).toEqual([200, files['index.html']])
      expect(answer.headers['cache-control']).toBe('no-cache, no-store')
      expect(answer.headers['referrer-policy']).toBe('same-origin')
      expect(answer.headers['x-content-type-options']).toBe('nosniff')
      expect(answer.headers['content-security-policy']).toBe(
        "object-src 'none'; base-uri 'self'; frame-ancestors 'none'",
      )
    },
  )

  it.each([
    '/repo/blob/main/package.json',
    '/x/app.js',
    '/files/report.pdf',
    `/${'t'.repeat(300)}`,
    `/assets/${'t'.repeat(300)}`,
    `/invitation/${'t'.repeat(9_000)}`,
    `/${'t/'.repeat(2_500)}x`,
  ])('answers the load of a page that is no file with its start page: %s', async (url) => {
    const answer = await get(url, {
      ...navigationHeaders,
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    })
    expect([answer.statusCode, answer.body]).toEqual([200, files['index.html']])
  })

  it('answers a service worker that asks for a page in place of a navigation', async () => {
    const asked = {
      'sec-fetch-site': 'same-origin',
      'sec-fetch-mode': 'same-origin',
      'sec-fetch-dest': 'empty',
    }
    const accept = 'text/html,application/xhtml+xml,*/*;q=0.8'
    expect((await get('/deep/x', { ...asked, accept })).body).toBe(files['index.html'])
    expect((await get('/deep/x', { ...asked, accept: '*/*' })).statusCode).toBe(404)
    expect((await get('/api/x', { ...asked, accept })).statusCode).not.toBe(200)
  })

  it('tells a new start page from the old one of the same size and date', async () => {
    const [path, date] = [join(folder, 'dated.html'), new Date('2024-01-01')]
    const write = async (content: string) => {
      await writeFile(path, content)
      await utimes(path, date, date)
    }
    await write('<p>old</p>')
    const { headers } = await get('/dated.html')
    const unchanged = { 'if-none-match': String(headers.etag), 'if-modified-since': new Date().toUTCString() }
    expect((await get('/dated.html', unchanged)).statusCode).toBe(304)
    await write('<p>new</p>')
    const answer = await get('/dated.html', unchanged)
    expect([answer.statusCode, answer.body]).toEqual([200, '<p>new</p>'])
    expect(answer.headers['last-modified']).toBeUndefined()
    // The same content is the same file, whatever its date: another node's, another build's.
    await writeFile(path, '<p>old</p>')
    expect((await get('/dated.html')).headers.etag).toBe(headers.etag)
  })

  it('sends the compressed form that lies beside a file to those who take it', async () => {
    await writeFile(join(folder, 'assets/app-D1wrgTda.js'), 'plain')
    await writeFile(join(folder, 'assets/app-D1wrgTda.js.br'), 'brotli')
    await writeFile(join(folder, 'assets/app-D1wrgTda.js.gz'), 'gzip')
    const forms = [
      ['gzip, deflate, br', 'brotli', 'br'],
      ['gzip', 'gzip', 'gzip'],
      ['br;q=0, gzip', 'gzip', 'gzip'],
      ['identity', 'plain', undefined],
      ['', 'plain', undefined],
    ] as const
    const seen = new Set<unknown>()
    for (const [accepted, body, encoding] of forms) {
      const answer = await get('/assets/app-D1wrgTda.js', { 'accept-encoding': accepted })
      expect([answer.body, answer.headers['content-encoding']]).toEqual([body, encoding])
      expect(answer.headers['content-type']).toMatch(/^(?:text|application)\/javascript/)
      expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable')
      expect(answer.headers.vary).toMatch(/accept-encoding/i)
      seen.add(answer.headers.etag)
    }
    expect(seen.size).toBe(3)
  })

  it('gives the compressed form of a page what a page has', async () => {
    await writeFile(join(folder, 'packed.html'), 'plain')
    await writeFile(join(folder, 'packed.html.gz'), 'gzip')
    const { headers } = await get('/packed.html', { 'accept-encoding': 'gzip' })
    expect(headers).toMatchObject({
      'content-encoding': 'gzip',
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache, no-store',
      'content-security-policy': "object-src 'none'; base-uri 'self'; frame-ancestors 'none'",
    })
  })

  it('never sends a compressed form that leads out of the folder', async () => {
    await writeFile(join(folder, 'outward.js'), 'plain')
    await symlink(join(outside, 'secret.txt'), join(folder, 'outward.js.gz'))
    const answer = await get('/outward.js', { 'accept-encoding': 'gzip' })
    expect(answer.body).not.toBe('secret')
    expect(answer.statusCode).toBe(404)
  })

  it('notices a link that is turned outward after it was followed', async () => {
    await symlink('robots.txt', join(folder, 'turning.txt'))
    expect((await get('/turning.txt')).body).toBe('robots')
    await rm(join(folder, 'turning.txt'))
    await symlink(join(outside, 'secret.txt'), join(folder, 'turning.txt'))
    expect((await get('/turning.txt')).statusCode).toBe(404)
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'] as const)('refuses %s to a file as a method', async (method) => {
    for (const url of ['/', '/robots.txt', '/assets/component.js']) {
      const answer = await gateway.app.inject({
        method,
        url,
        headers: { 'content-type': 'x/y' },
        payload: 'x',
      })
      expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'GET, HEAD'])
      expect(answer.json()).toMatchObject({ code: 'method_not_allowed' })
    }
    for (const url of ['/orders', '/.env', '/assets', '/..%2fpackage.json', '/leak%00']) {
      const answer = await gateway.app.inject({ method, url })
      expect(answer.statusCode).not.toBe(405)
    }
  })

  it.each(['old.htm', 'new.XHTML'])('gives %s the policy of a page', async (name) => {
    await writeFile(join(folder, name), 'page')
    const answer = await get(`/${name}`)
    expect(answer.headers['content-security-policy']).toContain("object-src 'none'")
    expect(answer.headers['referrer-policy']).toBe('same-origin')
  })

  it('answers a navigation of a browser without Fetch metadata as well', async () => {
    expect((await get('/orders', { accept: 'text/html,*/*;q=0.8' })).body).toBe(files['index.html'])
  })

  it.each(['/assets/index-D1wrgTda.js', '/assets/main.3f2a1b9c.css'])(
    'lets %s be kept for ever',
    async (url) => {
      const answer = await get(url)
      expect(answer.statusCode).toBe(200)
      expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable')
    },
  )

  it.each(['/assets/component.js', '/assets/photo-20240101.png', '/favicon.ico'])(
    'has %s revalidated',
    async (url) => {
      const answer = await get(url)
      expect(answer.headers['cache-control']).toBe('no-cache')
      const again = await get(url, { 'if-none-match': `${answer.headers.etag}` })
      expect(again.statusCode).toBe(304)
    },
  )

  it.each([
    '/api',
    '/api/x',
    '/API/x',
    '/%61pi/x',
    '/%2561pi/x',
    '/x/..%2fapi',
    '/Login',
    '/login/',
    '/LOGOUT',
    '/session/other',
    '/SESSION',
    '/livez/x',
    '/backchannel-logout/',
  ])('never stands in for %s', async (url) => {
    const answer = await get(url, navigationHeaders)
    expect(answer.statusCode).toBe(404)
    expect(answer.body).not.toContain('<title>App')
  })

  it.each(['/assets/gone-D1wrgTda.js', '/gone.css', '/assets/gone.map', '/gone.PNG', '/manifest.json'])(
    'never stands in for the missing file %s',
    async (url) => {
      const asScript = {
        'sec-fetch-site': 'same-origin',
        'sec-fetch-mode': 'no-cors',
        'sec-fetch-dest': 'script',
      }
      expect((await get(url, asScript)).statusCode).toBe(404)
      expect((await get(url, { accept: 'text/html' })).statusCode).toBe(404)
      expect((await get(url)).json()).toMatchObject({ code: 'not_found' })
    },
  )

  it('never answers a fetch of an unknown address', async () => {
    expect((await get('/orders', fetchHeaders)).statusCode).toBe(404)
    expect((await get('/orders', { accept: '*/*' })).statusCode).toBe(404)
    const post = await gateway.app.inject({ method: 'POST', url: '/orders', headers: navigationHeaders })
    expect(post.statusCode).toBe(404)
  })

  it.each([
    '/.env',
    '/%2eenv',
    '/.git/config',
    '/.git/',
    '/assets/.hidden.js',
    '/assets/%2Ehidden.js',
    '/../package.json',
    '/..%2fpackage.json',
    '/%2e%2e/package.json',
    '/assets/..%5c.env',
    '/.well-known/../.env',
    '/x/.well-known/y',
    '/leak.txt',
    '/leak/secret.txt',
  ])('never shows %s', async (url) => {
    for (const headers of [{}, navigationHeaders]) {
      const answer = await get(url, headers)
      // A page of the app may have such a name.
      if (answer.body !== files['index.html'] || headers !== navigationHeaders) {
        expect(answer.statusCode).toBeGreaterThanOrEqual(400)
        expect(answer.statusCode).toBeLessThan(500)
      }
      expect(answer.body).not.toMatch(/secret|SECRET|"name"/)
    }
  })

  it('shows what .well-known is for', async () => {
    expect((await get('/.well-known/security.txt')).body).toBe('contact')
  })

  it('follows symbolic links within its folder, as of mounted files', async () => {
    expect((await get('/current/index-D1wrgTda.js')).body).toBe('hashed')
  })

  it.each([
    ['bytes=0-2', 206, 'has', 'bytes 0-2/6'],
    ['bytes=-2', 206, 'ed', 'bytes 4-5/6'],
    ['bytes=99-', 416, '', 'bytes */6'],
    ['bytes=0-1,3-4', 200, 'hashed', undefined],
    ['lines=1-2', 200, 'hashed', undefined],
  ])('answers the range %s with %i', async (range, status, body, contentRange) => {
    const answer = await get('/assets/index-D1wrgTda.js', { range })
    expect([answer.statusCode, answer.body, answer.headers['content-range']]).toEqual([
      status,
      body,
      contentRange,
    ])
  })

  it.each([
    ['/robots.txt', {}],
    ['/orders', navigationHeaders],
  ])('fails a condition that its weak validators never meet: %s', async (url, headers) => {
    const answer = await get(url, { ...headers, 'if-match': '"other"' })
    expect([answer.statusCode, answer.body]).toEqual([412, ''])
    expect((await get(url, { ...headers, 'if-match': '*' })).statusCode).toBe(200)
  })

  it('compares nothing with dates that it never told', async () => {
    const past = 'Wed, 01 Jan 1990 00:00:00 GMT'
    const future = 'Wed, 01 Jan 2070 00:00:00 GMT'
    expect((await get('/robots.txt', { 'if-unmodified-since': past })).statusCode).toBe(200)
    expect((await get('/orders', { ...navigationHeaders, 'if-unmodified-since': past })).statusCode).toBe(200)
    expect((await get('/robots.txt', { 'if-modified-since': future })).statusCode).toBe(200)
    const part = await get('/robots.txt', { range: 'bytes=0-1', 'if-range': future })
    expect([part.statusCode, part.body]).toEqual([200, 'robots'])
  })

  it('sends the part that is asked for, and all of it to those who have another or a weak validator', async () => {
    const part = await get('/robots.txt', { range: 'bytes=1-2' })
    expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([206, 'ob', 'bytes 1-2/6'])
    for (const validator of ['"other"', String(part.headers.etag)]) {
      const whole = await get('/robots.txt', { range: 'bytes=1-2', 'if-range': validator })
      expect([whole.statusCode, whole.body]).toEqual([200, 'robots'])
    }
    const beyond = await get('/robots.txt', { range: 'bytes=6-' })
    expect([beyond.statusCode, beyond.headers['content-range']]).toEqual([416, 'bytes */6'])
  })

  it('does not tell by a refused method what a link leads to outside of the folder', async () => {
    for (const url of ['/leak.txt', '/leak/secret.txt']) {
      expect((await gateway.app.inject({ method: 'POST', url })).statusCode).toBe(404)
    }
  })

  it('answers HEAD like GET, without the body', async () => {
    const answer = await gateway.app.inject({ method: 'HEAD', url: '/orders', headers: navigationHeaders })
    expect([answer.statusCode, answer.body]).toEqual([200, ''])
  })

  it('can have a policy of its own', async () => {
    const own = await buildGateway({ spaDir: folder, spaCsp: "default-src 'self'" })
    const answer = await own.app.inject({ url: '/orders', headers: navigationHeaders })
    await own.app.close()
    expect(answer.headers['content-security-policy']).toBe("default-src 'self'")
  })

  it('may be restored by browsers where the operator says so', async () => {
    const own = await buildGateway({ spaDir: folder, spaBackForwardCache: true })
    const answer = await own.app.inject({ url: '/orders', headers: navigationHeaders })
    await own.app.close()
    expect(answer.headers['cache-control']).toBe('no-cache')
  })

  it('moves aside for endpoints under AUTH_PREFIX only', async () => {
    const moved = await buildGateway({ spaDir: folder, authPrefix: '/auth' })
    const [app, own] = await Promise.all(
      ['/login', '/auth/login'].map((url) => moved.app.inject({ url, headers: navigationHeaders })),
    )
    await moved.app.close()
    expect(app?.body).toBe(files['index.html'])
    expect(own?.statusCode).toBe(303)
  })
})
