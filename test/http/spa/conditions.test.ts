import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildGateway, fetchHeaders, navigationHeaders, type TestGateway } from '../support/gateway.ts'

const files = {
  'index.html': '<title>App</title>',
  'six.txt': 'robots',
  'empty.txt': '',
  'packed.js': 'plain',
  'packed.js.br': 'brotli',
  'packed.js.gz': 'gzip',
  'zipped.js': 'plain',
  'zipped.js.gz': 'gzip',
}

let folder: string
let gateway: TestGateway
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-conditions-'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  gateway = await buildGateway({ spaDir: folder })
})
afterAll(async () => {
  await gateway.app.close()
  await rm(folder, { recursive: true })
})

async function get(url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') {
  const answer = await gateway.app.inject({ method, url, headers })
  return [answer.statusCode, answer.body, answer.headers['content-range']]
}

describe('a part of a file', () => {
  it.each([
    ['bytes=0-2', [206, 'rob', 'bytes 0-2/6']],
    ['bytes=2-', [206, 'bots', 'bytes 2-5/6']],
    ['bytes=-2', [206, 'ts', 'bytes 4-5/6']],
    ['bytes=-6', [206, 'robots', 'bytes 0-5/6']],
    // RFC 9110 section 14.1.2: all of it, where it has fewer bytes.
    ['bytes=-100', [206, 'robots', 'bytes 0-5/6']],
    ['bytes=-99999999999999999999', [206, 'robots', 'bytes 0-5/6']],
    ['bytes=4-100', [206, 'ts', 'bytes 4-5/6']],
    ['Bytes = 0-2', [206, 'rob', 'bytes 0-2/6']],
    // Nothing of it is there.
    ['bytes=6-', [416, '', 'bytes */6']],
    ['bytes=-0', [416, '', 'bytes */6']],
    ['bytes=6-7,-0', [416, '', 'bytes */6']],
    // Several: what belongs together in one, and all of it otherwise.
    ['bytes=0-1,2-3', [206, 'robo', 'bytes 0-3/6']],
    ['bytes=0-1,-100', [206, 'robots', 'bytes 0-5/6']],
    ['bytes=0-1,4-', [200, 'robots', undefined]],
    // No ranges, so none was asked for.
    ['bytes=5-2', [200, 'robots', undefined]],
    ['bytes=abc-3', [200, 'robots', undefined]],
    ['bytes=1x-3', [200, 'robots', undefined]],
    ['bytes=0-1,x', [200, 'robots', undefined]],
    ['bytes=', [200, 'robots', undefined]],
    ['bytes=-', [200, 'robots', undefined]],
    ['lines=1-2', [200, 'robots', undefined]],
  ])('of %s', async (range, expected) => {
    expect(await get('/six.txt', { range })).toEqual(expected)
  })

  it('of a file without bytes is all of it or nothing', async () => {
    expect(await get('/empty.txt', { range: 'bytes=-5' })).toEqual([200, '', undefined])
    expect(await get('/empty.txt', { range: 'bytes=0-' })).toEqual([416, '', 'bytes */0'])
  })

  it('is one of its compressed form, where that is sent', async () => {
    const headers = { range: 'bytes=-3', 'accept-encoding': 'br' }
    expect(await get('/packed.js', headers)).toEqual([206, 'tli', 'bytes 3-5/6'])
  })

  it('is known to GET alone (RFC 9110 section 14.2)', async () => {
    const answer = await gateway.app.inject({
      method: 'HEAD',
      url: '/six.txt',
      headers: { range: 'bytes=0-1' },
    })
    expect([answer.statusCode, answer.headers['content-length']]).toEqual([200, '6'])
    expect(await get('/six.txt', { range: 'bytes=9-' }, 'HEAD')).toEqual([200, '', undefined])
  })

  it.each(['"x"', 'W/"x"', 'Wed, 01 Jan 2070 00:00:00 GMT', 'nonsense'])(
    'is not sent to whoever has another state of it, or cannot tell: %s',
    async (validator) => {
      expect(await get('/six.txt', { range: 'bytes=0-1', 'if-range': validator })).toEqual([
        200,
        'robots',
        undefined,
      ])
    },
  )
})

describe('a condition', () => {
  it.each(['"x"', 'W/"x"', '"x", "y"', ''])('that no file meets fails: If-Match: %s', async (validator) => {
    const headers = { 'if-match': validator }
    expect(await get('/six.txt', headers)).toEqual([412, '', undefined])
    expect(await get('/', { ...headers, ...navigationHeaders })).toEqual([412, '', undefined])
    expect(await get('/orders', { ...headers, ...navigationHeaders })).toEqual([412, '', undefined])
  })

  it('never meets the weak validator of the file itself', async () => {
    const { headers } = await gateway.app.inject({ url: '/six.txt' })
    expect(await get('/six.txt', { 'if-match': String(headers.etag) })).toEqual([412, '', undefined])
  })

  // RFC 9110 section 13.2.1: where the answer would be none of success without it, it counts for nothing.
  it.each(['"x"', '*'])('of an address without a file is nothing: If-Match: %s', async (validator) => {
    for (const url of ['/gone.js', '/gone', '/six.txt/x', '/a%00', '/.env']) {
      const answer = await gateway.app.inject({ url, headers: { ...fetchHeaders, 'if-match': validator } })
      expect([url, answer.statusCode]).toEqual([url, 404])
      expect(answer.json()).toMatchObject({ code: 'not_found' })
    }
  })

  it('that any file meets is met', async () => {
    expect(await get('/six.txt', { 'if-match': '*' })).toEqual([200, 'robots', undefined])
    expect(await get('/six.txt', { 'if-none-match': '*' })).toEqual([304, '', undefined])
    expect((await get('/gone.js', { 'if-none-match': '*' }))[0]).toBe(404)
  })

  it('goes by the form that is sent', async () => {
    const tagOf = async (encoding: string) =>
      String(
        (await gateway.app.inject({ url: '/packed.js', headers: { 'accept-encoding': encoding } })).headers
          .etag,
      )
    const [brotli, gzip] = [await tagOf('br'), await tagOf('gzip')]
    expect(brotli).not.toBe(gzip)
    for (const [encoding, tag, status] of [
      ['br', brotli, 304],
      ['gzip', gzip, 304],
      ['gzip', brotli, 200],
      ['identity', gzip, 200],
      ['br', `"other", ${brotli}`, 304],
      ['br', brotli.replace('W/', ''), 304],
    ] as const) {
      const headers = { 'accept-encoding': encoding, 'if-none-match': tag }
      expect([encoding, tag, (await get('/packed.js', headers))[0]]).toEqual([encoding, tag, status])
    }
  })

  it('is judged for HEAD as for GET', async () => {
    const { headers } = await gateway.app.inject({ method: 'HEAD', url: '/six.txt' })
    expect((await get('/six.txt', { 'if-none-match': String(headers.etag) }, 'HEAD'))[0]).toBe(304)
    expect((await get('/six.txt', { 'if-match': '"x"' }, 'HEAD'))[0]).toBe(412)
    expect((await get('/gone.js', { 'if-match': '"x"' }, 'HEAD'))[0]).toBe(404)
  })
})

describe('the form of a file', () => {
  it.each([
    ['br', 'brotli'],
    ['BR', 'brotli'],
    ['gzip, br', 'brotli'],
    ['gzip;q=1, br;q=0.1', 'gzip'],
    ['*', 'brotli'],
    ['*;q=0.5', 'brotli'],
    // RFC 9110 section 12.5.3: the star stands for what is not named.
    ['br;q=0, *', 'gzip'],
    ['br;q=0, gzip;q=0, *', 'plain'],
    ['gzip;q=0, *', 'brotli'],
    ['br;q=0.000', 'plain'],
    ['*;q=0', 'plain'],
    ['identity', 'plain'],
    ['identity;q=1, *;q=0', 'plain'],
    ['identity, br;q=0.5', 'plain'],
    ['identity;q=0, br', 'brotli'],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['br;q=2', 'plain'],
    ['br;level=9;q=0', 'plain'],
    ['', 'plain'],
    ['zstd, brx', 'plain'],
  ])('for %s is the %s one', async (accepted, body) => {
    const answer = await gateway.app.inject({
      url: '/packed.js',
      headers: { 'accept-encoding': accepted },
    })
    expect(answer.body).toBe(body)
    expect(answer.headers.vary).toMatch(/accept-encoding/i)
  })

  it('is the next best one that is there', async () => {
    expect((await get('/zipped.js', { 'accept-encoding': 'br, gzip;q=0.5' }))[1]).toBe('gzip')
    expect((await get('/zipped.js', { 'accept-encoding': 'br, *;q=0.5' }))[1]).toBe('gzip')
    expect((await get('/six.txt', { 'accept-encoding': 'br, gzip' }))[1]).toBe('robots')
  })
})
