/**
 * What `Clear-Site-Data: "cache"` on a logout costs in Chromium with a large cache on disk: `node bench/trials/clear-site-data.ts`. Prints the
 * milliseconds of a navigation through a redirect without the header and with it, for several sizes of the cache, filled by the
 * same site or by another one; some minutes.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'

const bytesPerFile = 100_000
const filesAtOnce = 20
const cacheSizesMegabytes = [0, 50, 300]
const rounds = 2

const listener: RequestListener = (request, response) => {
  const path = request.url ?? '/'
  if (path.startsWith('/file')) {
    response
      .writeHead(200, { 'cache-control': 'public, max-age=31536000' })
      .end(Buffer.alloc(bytesPerFile, path))
  } else if (path === '/') {
    response
      .writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-cache' })
      .end('<title>x</title>')
  } else {
    const clear = path === '/clears' ? { 'clear-site-data': '"cache"' } : {}
    response.writeHead(303, { location: '/', ...clear }).end()
  }
}
const servers = [createServer(listener), createServer(listener)].map((server) =>
  server.listen(0, '127.0.0.1'),
)
await Promise.all(servers.map((server) => once(server, 'listening')))
const [own = '', other = ''] = servers.map(
  (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
)
for (const megabytes of cacheSizesMegabytes) {
  for (const filled of [own, other]) {
    for (let round = 1; round <= rounds; round += 1) await measure(filled, megabytes)
  }
}
for (const server of servers) server.closeAllConnections()
for (const server of servers) server.close()

async function measure(filled: string, megabytes: number): Promise<void> {
  const profile = await mkdtemp(join(tmpdir(), 'coatcheck-cache-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disk-cache-size=2000000000'],
  })
  const files = await fill(context, filled, (megabytes * 1e6) / bytesPerFile)
  const plainMs = await navigate(context, `${own}/plain`)
  const clearsMs = await navigate(context, `${own}/clears`)
  const whose = filled === own ? 'its own' : "another site's"
  process.stdout.write(
    `${megabytes} MB (${files} files, ${whose}): without ${plainMs} ms, with ${clearsMs} ms\n`,
  )
  await context.close()
  await rm(profile, { recursive: true, maxRetries: 5 })
}

async function fill(context: BrowserContext, origin: string, files: number): Promise<number> {
  const page = await context.newPage()
  await page.goto(origin)
  await page.evaluate(
    `(async () => { for (let at = 0; at < ${files}; at += ${filesAtOnce}) await Promise.all(Array.from({ length: ${filesAtOnce} }, (_, next) => fetch('/file' + (at + next)).then((answer) => answer.arrayBuffer()))) })()`,
  )
  return files
}

async function navigate(context: BrowserContext, url: string): Promise<number> {
  const page = context.pages().at(-1)
  const beganMs = performance.now()
  await page?.goto(url)
  return Math.round(performance.now() - beganMs)
}
