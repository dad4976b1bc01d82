import { once } from 'node:events'
import { mkdir, mkdtemp, open, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildGateway, navigationHeaders, type TestGateway } from '../support/gateway.ts'

let folder: string
let gateway: TestGateway
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-deploys-'))
  await put('releases/1/index.html', 'first')
  await symlink('releases/1', join(folder, 'current'))
  gateway = await buildGateway({ spaDir: join(folder, 'current') })
})
afterAll(async () => {
  await gateway.app.close()
  await rm(folder, { recursive: true })
})

async function put(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  return path
}

const get = (url: string, headers: Record<string, string> = {}) => gateway.app.inject({ url, headers })

describe('names of files', () => {
  it.each([
    ['a b.txt', '/a%20b.txt'],
    ['100%.txt', '/100%25.txt'],
    ['%41.txt', '/%2541.txt'],
    ['what?.txt', '/what%3f.txt'],
    ['c#.txt', '/c%23.txt'],
    ['grüße.txt', '/gr%C3%BC%C3%9Fe.txt'],
    ['日本/語.txt', '/%E6%97%A5%E6%9C%AC/%E8%AA%9E.txt'],
    ['plus+and&.txt', '/plus+and&.txt'],
    ['v1.2.3/app.min.js', '/v1.2.3/app.min.js'],
    ['no-ending', '/no-ending'],
    ['(group)/[id].js', '/(group)/%5Bid%5D.js'],
  ])('%s is found at %s, once decoded and no more', async (name, url) => {
    await put(`releases/1/${name}`, name)
    expect((await get(url)).body).toBe(name)
  })

  it.each([
    '/%2541b.txt',
    '/a%2520b.txt',
    '/%E6%97%A5%E6%9C%AC%2F%E8%AA%9E.txt',
    '/%c0%ae%c0%ae/x',
    '//index.html',
  ])('%s is none', async (url) => {
    expect((await get(url)).statusCode).toBeGreaterThanOrEqual(400)
  })
})

describe('the page of a folder', () => {
  it.each(['', 'br', 'gzip, br'])(
    'is sent to whoever asks for the folder, accepting %j',
    async (accepted) => {
      for (const url of ['/', '/index.html', '/sub/', '/sub']) {
        await put('releases/1/sub/index.html', 'first')
        const answer = await get(url, { 'accept-encoding': accepted, accept: '*/*' })
        expect([url, answer.statusCode, answer.body]).toEqual([url, 200, 'first'])
      }
    },
  )
})

describe('an app that was exported as a page for each address', () => {
  it('shows the page of the address, whose folder may be there as well, and the start page for all others', async () => {
    await put('releases/1/about.html', 'about')
    // Next.js writes what its router fetches into a folder beside the page.
    await put('releases/1/about/__next._tree.txt', 'tree')
    await put('releases/1/docs/index.html', 'docs')
    await put('releases/1/docs/über uns.html', 'deep')
    for (const [url, body] of [
      ['/about', 'about'],
      ['/about?tab=2', 'about'],
      ['/about/', 'about'],
      ['/docs', 'docs'],
      ['/docs/', 'docs'],
      ['/docs/%C3%BCber%20uns', 'deep'],
      ['/about/team', 'first'],
      ['/index', 'first'],
      ['/.html', undefined],
    ] as const) {
      const answer = await get(url, navigationHeaders)
      expect([url, answer.statusCode === 200 ? answer.body : undefined]).toEqual([url, body])
      if (body !== undefined) expect(answer.headers['cache-control']).toBe('no-cache, no-store')
    }
    // The exported app's router looks there itself; without such a page a fetch is told so.
    expect((await get('/about', { accept: '*/*' })).body).toBe('about')
    expect((await get('/about/team', { accept: '*/*' })).statusCode).toBe(404)
  })

  it('never shows one of outside, of a hidden folder or of an address of the gateway', async () => {
    await put('outside.html', 'secret')
    await put('releases/1/.git/config.html', 'secret')
    await put('releases/1/api/orders.html', 'secret')
    await put('releases/1/login.html', 'secret')
    await symlink(join(folder, 'outside.html'), join(folder, 'releases/1/leak.html'))
    for (const url of [
      '/..%2foutside',
      '/%2e%2e/outside',
      '/leak',
      '/.git/config',
      '/%2egit/config',
      '/api/orders',
      '/login',
      '/x%00',
    ])
      expect((await get(url, navigationHeaders)).body).not.toContain('secret')
  })
})

describe('an app that is replaced while it is served', () => {
  it('is the new one at once where its folder is a link that is turned', async () => {
    await put('releases/2/index.html', 'other')
    await put('releases/2/assets/index-D1wrgTda.js', 'new')
    const { headers } = await get('/')
    await symlink('releases/2', join(folder, 'next'))
    await rename(join(folder, 'next'), join(folder, 'current'))
    const answer = await get('/', { 'if-none-match': String(headers.etag) })
    expect([answer.statusCode, answer.body]).toEqual([200, 'other'])
    expect((await get('/assets/index-D1wrgTda.js')).body).toBe('new')
    expect((await get('/100%25.txt')).statusCode).toBe(404)
  })

  it('is missed in our own words while it is not there, and shown again when it is', async () => {
    await rename(join(folder, 'releases/2'), join(folder, 'releases/away'))
    for (const url of ['/', '/orders', '/about']) {
      const answer = await get(url, navigationHeaders)
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8'])
      expect(answer.body).toContain('not_found')
    }
    expect((await get('/assets/index-D1wrgTda.js')).json()).toMatchObject({ code: 'not_found' })
    await rename(join(folder, 'releases/away'), join(folder, 'releases/2'))
    expect((await get('/orders', navigationHeaders)).body).toBe('other')
  })

  it('never passes the beginning of a file off as the whole one', async () => {
    const path = await put('releases/2/video.bin', Buffer.alloc(64 * 1024 * 1024, 'x'))
    const url = new URL(await gateway.app.listen({ port: 0, host: '127.0.0.1' }))
    const socket = connect(Number(url.port), url.hostname)
    let received = 0
    let text = ''
    socket.write(
      'GET /video.bin HTTP/1.1\r\nhost: app.example.test\r\n\r\nGET / HTTP/1.1\r\nhost: app.example.test\r\n\r\n',
    )
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (!chunk.includes('xxxxxxxx')) text += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    await once(socket, 'data')
    socket.pause()
    // As `cp` and a bundler do: the same file is emptied and written again.
    await truncate(path, 1024)
    const closed = once(socket, 'close')
    socket.resume()
    await closed
    expect(received).toBeLessThan(64 * 1024 * 1024)
    expect(text).not.toContain('other')
  })

  it('is read anew when a file was written again with as many bytes', async () => {
    const path = await put('releases/2/same.txt', 'one')
    expect((await get('/same.txt')).body).toBe('one')
    const file = await open(path, 'r+')
    await file.write('two')
    await file.close()
    expect((await get('/same.txt')).body).toBe('two')
  })
})
