import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createPlainServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { examine } from '../../src/doctor/examine.ts'
import { startTunnelProxy, type TunnelProxy } from '../network/support.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { freePort } from '../support/ports.ts'
import { newSigningKey } from '../support/provider/scripted-provider.ts'
import { findingOf } from './clinic/clinic.ts'

const issuer = 'https://login.test'
const ends: (() => unknown)[] = []
const seen: IncomingMessage[] = []
let authority: Certificates
let proxy: TunnelProxy
let internal: string
let authorizeStatus = 303
let env: Readonly<Record<string, string>>

beforeAll(async () => {
  authority = await makeCertificates('DNS:login.test')
  const { jwk } = await newSigningKey('key-1')
  const documents: Readonly<Record<string, unknown>> = {
    '/.well-known/openid-configuration': {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      code_challenge_methods_supported: ['S256'],
    },
    '/keys': { keys: [jwk] },
  }
  const provider: RequestListener = (request, response) => {
    seen.push(request)
    const url = new URL(request.url ?? '/', issuer)
    response.setHeader('content-type', 'application/json')
    if (url.pathname === '/authorize') {
      const to = `${url.searchParams.get('redirect_uri')}?error=login_required`
      response.writeHead(authorizeStatus, { location: to }).end()
    } else if (url.pathname === '/token') answerToken(request, response)
    else response.end(JSON.stringify(documents[url.pathname]))
  }
  const pem = (path: string) => readFileSync(path, 'utf8')
  const server = createServer({ cert: pem(authority.certificateFile), key: pem(authority.keyFile) }, provider)
  const plain = createPlainServer(provider)
  await Promise.all([
    once(server.listen(0, '127.0.0.1'), 'listening'),
    once(plain.listen(0, '127.0.0.1'), 'listening'),
  ])
  internal = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`
  proxy = await startTunnelProxy(() => (server.address() as AddressInfo).port)
  ends.push(
    authority.remove,
    proxy.stop,
    () => server.close(),
    () => plain.close(),
  )
  ends.push(
    () => server.closeAllConnections(),
    () => plain.closeAllConnections(),
  )
  const port = await freePort()
  env = {
    ISSUER_URL: issuer,
    CLIENT_ID: 'shop',
    CLIENT_SECRET: 'the-one-secret',
    API_AUDIENCE: 'https://api.example.test',
    API_URL: 'http://127.0.0.1:9',
    BASE_URL: `http://127.0.0.1:${port}`,
    PORT: `${port}`,
    SESSION_SECRET: 'session-secret-for-the-ways-0123456789abcdef',
  }
})

const answerToken: RequestListener = (request, response) => {
  let form = ''
  request.on('data', (chunk: Buffer) => {
    form += chunk.toString()
  })
  request.once('end', () => {
    const isOurs = new URLSearchParams(form).get('client_secret') === 'the-one-secret'
    response.writeHead(isOurs ? 400 : 401).end(`{"error":"${isOurs ? 'invalid_grant' : 'invalid_client'}"}`)
  })
}

beforeEach(() => {
  seen.length = 0
  proxy.heads.length = 0
  authorizeStatus = 303
})

afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

function doctor(changes: Readonly<Record<string, string>>) {
  return examine({
    env: { ...env, ...changes },
    version: '0.0.0',
    now: Date.now,
    desk: undefined,
    begin: () => undefined,
    tell: () => undefined,
  })
}

const askedFor = (path: string) => seen.filter(({ url }) => url?.startsWith(path))

describe('doctor goes the ways of the gateway', () => {
  it('through the proxy of the environment, with the authority of the settings, to every endpoint', async () => {
    const report = await doctor({ HTTPS_PROXY: proxy.url, PROVIDER_CA: authority.ca })
    for (const check of ['discovery', 'discovery.keys', 'client', 'redirect-uri', 'client-secret'])
      expect([check, findingOf(report, check).status]).toEqual([check, 'pass'])
    expect(askedFor('/authorize')).toHaveLength(1)
    expect(new Set(proxy.heads.map((head) => head.split(' ')[1]))).toEqual(new Set(['login.test:443']))
  })

  it('and fails where the gateway would', async () => {
    const report = await doctor({ HTTPS_PROXY: proxy.url })
    expect(findingOf(report, 'discovery')).toMatchObject({
      status: 'fail',
      summary: expect.stringContaining('authority that is not trusted'),
    })
  })

  it('to the internal address, in the name of the public host, past every proxy', async () => {
    const report = await doctor({ PROVIDER_ADDRESS: internal, HTTPS_PROXY: proxy.url })
    for (const check of ['client', 'redirect-uri', 'client-secret'])
      expect([check, findingOf(report, check).status]).toEqual([check, 'pass'])
    expect(askedFor('/authorize')[0]?.headers).toMatchObject({
      'x-forwarded-host': 'login.test',
      'x-forwarded-proto': 'https',
    })
    expect(proxy.heads).toEqual([])
  })

  it('and says what it could not try from inside, without failing for it', async () => {
    authorizeStatus = 404
    const report = await doctor({ PROVIDER_ADDRESS: internal })
    for (const check of ['client', 'redirect-uri', 'audience'])
      expect(findingOf(report, check)).toMatchObject({
        status: 'skip',
        summary: `The authorization endpoint could not be tried from inside: browsers open it at ${issuer}, this machine asks ${internal}.`,
      })
    expect(findingOf(report, 'client-secret').status).toBe('pass')
  })
})
