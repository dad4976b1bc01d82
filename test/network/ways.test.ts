import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer as createPlainServer } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ProviderNetworkOptions } from '../../src/network/provider-network.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { openNetwork, startTunnelProxy, type TunnelProxy } from './support.ts'

let authority: Certificates
let stranger: Certificates
let server: Server
let proxy: TunnelProxy
const seen: { url: string | undefined; headers: IncomingMessage['headers']; client: string | undefined }[] =
  []
const ends: (() => unknown)[] = []
const portOf = (one: { address(): AddressInfo | string | null }) => (one.address() as AddressInfo).port
const pem = (path: string) => readFileSync(path, 'utf8')

beforeAll(async () => {
  authority = await makeCertificates('DNS:login.test,DNS:localhost')
  stranger = await makeCertificates('DNS:stranger')
  server = createServer(
    {
      cert: pem(authority.certificateFile),
      key: pem(authority.keyFile),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const certificate = (request.socket as TLSSocket).getPeerCertificate()
      seen.push({ url: request.url, headers: request.headers, client: certificate.fingerprint256 })
      response.end('{}')
    },
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  proxy = await startTunnelProxy(() => portOf(server))
})

afterEach(() => {
  seen.length = 0
  proxy.heads.length = 0
  for (const end of ends.splice(0)) end()
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await proxy.stop()
  await Promise.all([authority.remove(), stranger.remove()])
})

function getter(options: Partial<ProviderNetworkOptions> & { readonly issuerUrl: string }) {
  const network = openNetwork(options)
  ends.push(network.close)
  return (url: string) =>
    network.fetch('keys')(url, { method: 'GET', headers: {}, body: undefined, redirect: 'manual' })
}

describe('the way to a provider with a private authority behind a company proxy', () => {
  const issuerUrl = 'https://login.test'

  it('is a tunnel, whose end is verified with PROVIDER_CA', async () => {
    const httpsProxy = proxy.url.replace('//', '//me:p%40ss@')
    const get = getter({ issuerUrl, providerCa: authority.ca, httpsProxy })
    expect((await get('https://login.test/jwks')).status).toBe(200)
    expect(proxy.heads[0]).toMatch(/^CONNECT login\.test:443 HTTP\/1\.1\r\n/)
    expect(proxy.heads[0]).toContain(`Basic ${Buffer.from('me:p@ss').toString('base64')}`)
    expect(seen[0]?.headers).not.toHaveProperty('proxy-authorization')
  })

  it('fails without the authority, and with another', async () => {
    await expect(getter({ issuerUrl, httpsProxy: proxy.url })('https://login.test/jwks')).rejects.toThrow()
    const options = { issuerUrl, providerCa: stranger.ca, httpsProxy: proxy.url }
    await expect(getter(options)('https://login.test/jwks')).rejects.toThrow()
    expect(seen).toEqual([])
  })

  it('is none for what NO_PROXY names, and for loopback', async () => {
    const port = portOf(server)
    const get = getter({
      issuerUrl,
      providerCa: authority.ca,
      httpsProxy: proxy.url,
      noProxy: ['login.test'],
    })
    await get(`https://localhost:${port}/jwks`)
    await expect(get('https://login.test/jwks')).rejects.toThrow()
    expect(proxy.heads).toEqual([])
    expect(seen).toHaveLength(1)
  })

  it('ends with the status of a proxy that refuses', async () => {
    const refusing = createPlainServer()
    refusing.on('connect', (_request, socket) => socket.end('HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n'))
    await once(refusing.listen(0, '127.0.0.1'), 'listening')
    ends.push(() => refusing.close())
    const get = getter({ issuerUrl, httpsProxy: `http://127.0.0.1:${portOf(refusing)}` })
    await expect(get('https://login.test/jwks')).rejects.toMatchObject({
      cause: { cause: { message: expect.stringContaining('407') } },
    })
  })
})

describe('a client certificate', () => {
  it('is shown, and its successor from the next call on', async () => {
    const pair = (one: Certificates) => ({ certPem: pem(one.certificateFile), keyPem: pem(one.keyFile) })
    let current = pair(authority)
    const issuerUrl = `https://localhost:${portOf(server)}`
    const get = getter({ issuerUrl, providerCa: authority.ca, shownCertificate: () => current })
    await get(`${issuerUrl}/one`)
    await get(`${issuerUrl}/two`)
    current = pair(stranger)
    await get(`${issuerUrl}/three`)
    const [one, two, three] = seen.map(({ client }) => client)
    expect(one).toBeDefined()
    expect(two).toBe(one)
    expect(three).toBeDefined()
    expect(three).not.toBe(one)
  })
})

describe('PROVIDER_ADDRESS', () => {
  it('takes the calls of the issuer and its own, with the public host beside them, and no proxy', async () => {
    const internal: IncomingMessage[] = []
    const plain = createPlainServer((request, response) => {
      internal.push(request)
      response.end('{}')
    })
    await once(plain.listen(0, '127.0.0.1'), 'listening')
    ends.push(() => plain.close())
    const providerAddress = new URL(`http://127.0.0.1:${portOf(plain)}`)
    const get = getter({
      issuerUrl: 'https://login.test/realms/a',
      providerAddress,
      providerCa: authority.ca,
      httpsProxy: proxy.url,
      httpProxy: proxy.url,
    })
    await get('https://login.test/realms/a/keys?x=1')
    await get(`${providerAddress.origin}/token`)
    await get('https://elsewhere.login.test/keys').catch(() => undefined)
    expect(
      internal.map(({ url, headers }) => [url, headers['x-forwarded-host'], headers['x-forwarded-proto']]),
    ).toEqual([
      ['/realms/a/keys?x=1', 'login.test', 'https'],
      ['/token', 'login.test', 'https'],
    ])
    expect(proxy.heads.map((head) => head.split(' ')[1])).toEqual(['elsewhere.login.test:443'])
  })
})
