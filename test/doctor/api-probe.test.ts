import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import { isProxied } from '../../src/config/routes/route.ts'
import { askApi } from '../../src/doctor/probes/api-probe.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'

let ofClient: Certificates
let ofRoute: Certificates
let api: Server
let folder: string
/** Certificates that the API was shown, by path; PEM without its frame. */
const shown = new Map<string, string>()
const bodyOf = (pem: string): string => pem.replace(/-----[A-Z ]+-----|\s/g, '')
const read = (file: string): string => readFileSync(file, 'utf8')

beforeAll(async () => {
  ofClient = await makeCertificates()
  ofRoute = await makeCertificates()
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-api-probe-'))
  const options = {
    cert: read(ofRoute.certificateFile),
    key: read(ofRoute.keyFile),
    requestCert: true,
    rejectUnauthorized: false,
  }
  api = createServer(options, ({ url = '', socket }, response) => {
    const { raw } = (socket as TLSSocket).getPeerCertificate()
    shown.set(url, raw?.toString('base64') ?? 'none')
    response.writeHead(401).end()
  })
  await once(api.listen(0, '127.0.0.1'), 'listening')
})
afterAll(async () => {
  api.closeAllConnections()
  api.close()
  await rm(folder, { recursive: true })
  await ofClient.remove()
  await ofRoute.remove()
})

it('with tokens that are bound to a certificate shows it where tokens are sent, and elsewhere the route’s own', async () => {
  const upstream = (path: string) => `https://127.0.0.1:${(api.address() as AddressInfo).port}/${path}`
  const own = { certificateFile: ofRoute.certificateFile, keyFile: ofRoute.keyFile }
  const tls = { caFile: ofRoute.caFile }
  const routes = [
    { prefix: '/api', upstream: upstream('user'), tls },
    { prefix: '/none', upstream: upstream('none'), token: 'none', tls: { ...tls, ...own } },
    { prefix: '/open', upstream: upstream('open'), auth: 'none', tls: { ...tls, ...own } },
    { prefix: '/bare', upstream: upstream('bare'), auth: 'none', tls },
  ]
  const file = join(folder, 'routes.json')
  await writeFile(file, JSON.stringify({ routes }))
  const config = loadConfig({
    ISSUER_URL: 'https://login.example.test/',
    CLIENT_ID: 'app',
    API_AUDIENCE: 'https://api.example.test',
    ROUTES_FILE: file,
    BASE_URL: 'https://app.example.test',
    SESSION_SECRET: 'session-secret-of-the-api-probe-0123456789',
    SESSION_STORE: 'memory',
    CLIENT_AUTHENTICATION: 'tls_client_auth',
    CLIENT_CERTIFICATE: read(ofClient.certificateFile),
    CLIENT_CERTIFICATE_KEY: read(ofClient.keyFile),
    TOKEN_BINDING: 'mtls',
  })
  const answers = await Promise.all(config.routes.filter(isProxied).map((route) => askApi(route, config)))
  expect(answers.map(({ kind }) => kind)).toEqual(Array.from(routes, () => 'answered'))
  const [client, route] = [ofClient, ofRoute].map(({ certificateFile }) => bodyOf(read(certificateFile)))
  expect(Object.fromEntries(shown)).toEqual({
    '/user': client,
    '/none': route,
    '/open': route,
    '/bare': 'none',
  })
})
