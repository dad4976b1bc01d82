import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildGateway, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await buildGateway({})
})
afterAll(() => gateway.app.close())

const get = (headers: Record<string, string> = {}, method: 'GET' | 'HEAD' | 'POST' = 'GET') =>
  gateway.app.inject({ method, url: '/client.js', headers })

describe('GET /client.js', () => {
  it('is one ES module that imports nothing and exports what coatcheck/client does', async () => {
    const { body, headers } = await get()
    expect(headers['content-type']).toBe('text/javascript; charset=utf-8')
    expect(body).not.toMatch(/^import|\bimport\(/m)
    const served = await import(`data:text/javascript,${encodeURIComponent(body)}`)
    // By address, because tests are compiled without the DOM.
    const source = await import(new URL('../../../src/client/client.ts', import.meta.url).href)
    expect(Object.keys(served).sort()).toEqual(Object.keys(source).sort())
    expect(typeof served.createCoatcheck().getSession).toBe('function')
  })

  it.each([
    ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
    ['gzip', 'gzip', gunzipSync],
    ['br;q=0, gzip;q=0.5', 'gzip', gunzipSync],
  ])('is compressed for Accept-Encoding: %s as %s', async (accepted, coding, open) => {
    const { rawPayload, headers } = await get({ 'accept-encoding': accepted })
    expect(headers).toMatchObject({ 'content-encoding': coding, vary: 'accept-encoding' })
    expect(open(rawPayload).toString()).toBe((await get()).body)
  })

  it.each(['', 'identity', 'zstd', 'gzip;q=0'])(
    'is sent as it is for Accept-Encoding: %s',
    async (accepted) => {
      expect((await get({ 'accept-encoding': accepted })).headers).not.toHaveProperty('content-encoding')
    },
  )

  it('is not sent again to whoever has it', async () => {
    const { headers } = await get()
    expect(headers['cache-control']).toBe('no-cache')
    const again = await get({ 'if-none-match': `W/"other", ${headers.etag}` })
    expect([again.statusCode, again.body]).toEqual([304, ''])
  })

  it('takes no other method', async () => {
    expect((await get({}, 'HEAD')).statusCode).toBe(200)
    expect((await get({}, 'POST')).statusCode).toBe(405)
  })

  it("leaves the app's own file where it is", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'coatcheck-own-client-'))
    await writeFile(join(folder, 'client.js'), 'theirs')
    await writeFile(join(folder, 'index.html'), '<title>App</title>')
    const other = await buildGateway({ spaDir: folder })
    expect((await other.app.inject('/client.js')).body).toBe('theirs')
    await other.app.close()
    await rm(folder, { recursive: true })
  })
})
