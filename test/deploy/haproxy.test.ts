import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findCommand } from '../support/commands.ts'
import { eventually } from '../support/eventually.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { freePort } from '../support/ports.ts'

const haproxy = findCommand('haproxy', '../sbin/haproxy')
const isLeftOut = haproxy === undefined && process.env.CI === undefined

let gateway: Server
let certificates: Certificates
let folder: string
let child: ChildProcess
let port: number
const aborted: string[] = []

async function start(): Promise<void> {
  gateway = createServer({ maxHeaderSize: 32_768 }, (received, response) => {
    if (received.url === '/slow') {
      response.once('close', () => aborted.push('/slow'))
      return
    }
    const type = received.url === '/app.js' ? 'text/javascript' : 'application/json'
    response.writeHead(200, { 'content-type': type })
    response.end(JSON.stringify({ url: received.url, headers: received.headers, filling: ' '.repeat(4_000) }))
  }).listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  certificates = await makeCertificates('DNS:app.example.com')
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-haproxy-'))
  const pem = `${await readFile(certificates.certificateFile, 'utf8')}${await readFile(certificates.keyFile, 'utf8')}`
  await writeFile(join(folder, 'app.pem'), pem)
  port = await freePort()
  const shipped = await readFile(new URL('../../deploy/haproxy/haproxy.cfg', import.meta.url), 'utf8')
  const places: readonly (readonly [string, string])[] = [
    ['/etc/haproxy/certificates/app.pem', join(folder, 'app.pem')],
    ['bind :8443', `bind 127.0.0.1:${port}`],
    ['bind :8080', `bind 127.0.0.1:${await freePort()}`],
    ['127.0.0.1:3000', `127.0.0.1:${(gateway.address() as AddressInfo).port}`],
  ]
  const rendered = places.reduce((configuration, [from, to]) => {
    expect(configuration).toContain(from)
    return configuration.replaceAll(from, to)
  }, shipped)
  await writeFile(join(folder, 'haproxy.cfg'), rendered)
  child = spawn(haproxy ?? '', ['-f', join(folder, 'haproxy.cfg'), '-db'], { stdio: 'ignore' })
  await eventually(async () => expect((await get('/')).status).toBe(200), 20_000)
}

interface Got {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      ca: certificates.ca,
      servername: 'app.example.com',
      path,
      headers,
    }
    const sent = request({ ...options, agent: false, headers: { host: 'app.example.com', ...headers } })
    sent.once('error', reject).once('response', (response) => {
      const { statusCode: status = 0, headers: answered } = response
      text(response.setEncoding('latin1')).then(
        (body) => resolve({ status, headers: answered, body: Buffer.from(body, 'latin1') }),
        reject,
      )
    })
    sent.end()
  })
}

const title = isLeftOut ? 'behind HAProxy (left out: it is not installed)' : 'behind HAProxy'

describe.skipIf(isLeftOut)(title, () => {
  beforeAll(start)
  afterAll(async () => {
    child.kill('SIGTERM')
    await once(child, 'exit')
    gateway.closeAllConnections()
    gateway.close()
    await certificates.remove()
    await rm(folder, { recursive: true })
  })

  it.each(['/livez', '/readyz', '/LIVEZ', '/%6civez', '/readyz?for=traffic', '/%72%65adyz'])(
    'the world does not get the probe %s',
    async (path) => {
      expect((await get(path)).status).toBe(404)
    },
  )

  it('addresses and path arrive as they are, whatever the client claims', async () => {
    const { body } = await get('/api/a%2Fb//c?x=%20', {
      'x-forwarded-for': '6.6.6.6',
      forwarded: 'for=6.6.6.6',
    })
    const { url, headers } = JSON.parse(body.toString())
    expect(url).toBe('/api/a%2Fb//c?x=%20')
    expect(headers['x-forwarded-for']).toBe('127.0.0.1')
    expect(headers).not.toHaveProperty('forwarded')
  })

  it('cookies of 30 KB pass', async () => {
    expect((await get('/', { cookie: `a=${'x'.repeat(30_000)}` })).status).toBe(200)
  })

  it('the app is compressed, the API is not', async () => {
    const script = await get('/app.js', { 'accept-encoding': 'gzip' })
    expect(script.headers['content-encoding']).toBe('gzip')
    expect(JSON.parse(gunzipSync(script.body).toString()).url).toBe('/app.js')
    expect((await get('/api/x', { 'accept-encoding': 'gzip' })).headers).not.toHaveProperty(
      'content-encoding',
    )
  })

  it('a browser that leaves ends its request behind it too', async () => {
    const options = {
      host: '127.0.0.1',
      port,
      ca: certificates.ca,
      servername: 'app.example.com',
      agent: false,
    }
    const sent = request({ ...options, path: '/slow' })
    sent.once('error', () => undefined).end()
    await once(gateway, 'request')
    sent.destroy()
    await eventually(() => expect(aborted).toEqual(['/slow']))
  })
})
