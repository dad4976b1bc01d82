import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { SessionStore } from '../../../src/session/store/contract.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { claimsOf } from '../../support/api/proof-verifier.ts'
import { type Answer, exchange } from '../../support/exchange.ts'
import { type Certificates, makeCertificates } from '../../support/fronts/certificates.ts'
import { type RunningGateway, startGateway } from '../../support/gateway/gateway.ts'
import { type ScriptedProvider, startScriptedProvider } from '../../support/provider/scripted-provider.ts'

let provider: ScriptedProvider
let authority: Certificates
let api: Server
let gateway: RunningGateway
/** Shared by the nodes. */
let store: SessionStore
let folder: string
let offsetMs = 0
/** What the API saw: its caller's certificate, and the one that the token is bound to. */
const calls: { shown: string; bound: unknown }[] = []
/** The certificate that the provider sees, as its own TLS terminator would tell it. */
let seenByProvider = ''

interface Pair {
  readonly certificate: string
  readonly key: string
  readonly thumbprint: string
}
let first: Pair
let second: Pair

function selfSigned(name: string): Pair {
  const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
  const request = ['req', '-x509', '-days', '2', '-subj', `/CN=${name}`, ...newKey, '-out', certificate]
  execFileSync('openssl', request, { stdio: 'pipe' })
  const der = execFileSync('openssl', ['x509', '-in', certificate, '-outform', 'der'])
  const thumbprint = createHash('sha256').update(der).digest('base64url')
  return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8'), thumbprint }
}

function install({ certificate, key, thumbprint }: Pair): void {
  writeFileSync(join(folder, 'live.crt'), certificate)
  writeFileSync(join(folder, 'live.key'), key)
  seenByProvider = thumbprint
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-certificate-'))
  authority = await makeCertificates()
  first = selfSigned('first')
  second = selfSigned('second')
  install(first)
  provider = await startScriptedProvider({ now: () => Date.now() + offsetMs })
  provider.faults.accessToken = (claims) => {
    if (seenByProvider !== '') claims.cnf = { 'x5t#S256': seenByProvider }
    return undefined
  }
  const tls = { cert: readFileSync(authority.certificateFile), key: readFileSync(authority.keyFile) }
  api = createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    response.writeHead(note(request.socket as TLSSocket, request.headers.authorization) ? 200 : 401).end()
  })
  const sockets = new WebSocketServer({ noServer: true })
  api.on('upgrade', (request, socket, head) => {
    note(request.socket as TLSSocket, request.headers.authorization)
    sockets.handleUpgrade(request, socket, head, (open) => open.send('hello'))
  })
  await once(api.listen(0, '127.0.0.1'), 'listening')
  store = createMemoryStore({ sessionMaxLifetime: 36_000 }, { now: () => Date.now() + offsetMs })
  gateway = await open()
})
beforeEach(() => {
  calls.length = 0
})
afterAll(async () => {
  await gateway.stop()
  api.closeAllConnections()
  api.close()
  await provider.stop()
  await authority.remove()
  await rm(folder, { recursive: true })
})

function note(socket: TLSSocket, authorization = ''): boolean {
  const { raw } = socket.getPeerCertificate()
  const shown = raw === undefined ? '' : createHash('sha256').update(raw).digest('base64url')
  const cnf = claimsOf(authorization.slice('Bearer '.length)).cnf as { 'x5t#S256'?: string } | undefined
  calls.push({ shown, bound: cnf?.['x5t#S256'] })
  return shown !== '' && shown === cnf?.['x5t#S256']
}

function open(changes: Readonly<Record<string, string>> = {}): Promise<RunningGateway> {
  const { port } = api.address() as AddressInfo
  const env = {
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: provider.clientSecret,
    CLIENT_AUTHENTICATION: 'client_secret_post',
    API_AUDIENCE: provider.audience,
    API_URL: `https://localhost:${port}`,
    UPSTREAM_CA: authority.ca,
    BASE_URL: 'https://app.example.test',
    SESSION_SECRET: 'session-secret-of-certificates-0123456789',
    SESSION_STORE: 'memory',
    CLIENT_CERTIFICATE_FILE: join(folder, 'live.crt'),
    CLIENT_CERTIFICATE_KEY_FILE: join(folder, 'live.key'),
    TOKEN_BINDING: 'mtls',
    ...changes,
  }
  return startGateway(env, { now: () => Date.now() + offsetMs, store })
}

function send(path: string, cookie: string, method = 'GET', { port } = gateway): Promise<Answer> {
  const url = new URL(path, 'https://app.example.test')
  return exchange({
    method,
    url,
    headers: { 'x-csrf': '1', cookie },
    address: { host: '127.0.0.1', port },
  })
}

async function logIn(): Promise<Answer> {
  const begun = await send('/login', '')
  const query = provider.approve(new URL(begun.headers.location ?? ''))
  return send(`/callback?${query}`, begun.setCookies[0]?.split(';')[0] ?? '')
}

async function signIn(): Promise<string> {
  const session = (await logIn()).setCookies.find((one) => /^__Host-Http-coatcheck=[\w-]{43};/.test(one))
  return session?.split(';')[0] ?? ''
}

describe('tokens that are bound to a certificate', () => {
  it('reach the API beside it, on requests and WebSockets', async () => {
    const cookie = await signIn()
    expect((await send('/api/orders', cookie)).status).toBe(200)
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/api/socket`, {
      headers: { cookie, host: 'app.example.test', origin: 'https://app.example.test' },
    })
    const [said] = await once(socket, 'message')
    socket.close()
    expect(String(said)).toBe('hello')
    expect(calls).toEqual(Array(2).fill({ shown: first.thumbprint, bound: first.thumbprint }))
  })

  it.each([
    ['another certificate', () => second.thumbprint],
    ['none', () => ''],
  ])('are refused at the login when they come bound to %s', async (_what, thumbprint) => {
    seenByProvider = thumbprint()
    const answer = await logIn()
    seenByProvider = first.thumbprint
    expect([answer.status, answer.json().code]).toEqual([400, 'login_refused'])
  })

  it('go on beside the old certificate after it was replaced, and beside the new one once refreshed', async () => {
    const cookie = await signIn()
    install(second)
    const other = await signIn()
    expect((await send('/api/orders', cookie)).status).toBe(200)
    expect((await send('/api/orders', other)).status).toBe(200)
    expect(calls.map(({ shown }) => shown)).toEqual([first.thumbprint, second.thumbprint])
    offsetMs += 595_000
    const before = provider.count('/token')
    expect((await send('/api/orders', cookie)).status).toBe(200)
    expect(provider.count('/token') - before).toBe(1)
    expect(calls.at(-1)).toEqual({ shown: second.thumbprint, bound: second.thumbprint })
    install(first)
  })
})

describe("the gateway's own token", () => {
  it('goes beside the certificate that it is bound to, after that was replaced as well', async () => {
    const { port } = api.address() as AddressInfo
    const upstream = `https://localhost:${port}`
    const file = join(folder, 'routes.json')
    const tls = { caFile: authority.caFile }
    const own = { upstream, token: 'client', audience: provider.audience, tls }
    const routes = [
      { prefix: '/own', ...own },
      { prefix: '/open', auth: 'none', ...own },
    ]
    writeFileSync(file, JSON.stringify({ routes }))
    const node = await open({ API_URL: '', UPSTREAM_CA: '', ROUTES_FILE: file })
    try {
      const cookie = await signIn()
      /** Of a user, and of nobody. */
      const both = async () => [
        (await send('/own/a', cookie, 'POST', node)).status,
        (await send('/open/a', '', 'GET', node)).status,
      ]
      const statuses = await both()
      install(second)
      statuses.push(...(await both()))
      offsetMs += 595_000
      statuses.push(...(await both()))
      expect(statuses).toEqual(Array(6).fill(200))
      const pairs = [first, first, second].map(({ thumbprint }) => ({ shown: thumbprint, bound: thumbprint }))
      expect(calls).toEqual(pairs.flatMap((pair) => [pair, pair]))
    } finally {
      await node.stop()
      install(first)
    }
  })
})

describe('a certificate that is replaced while requests are under way', () => {
  it('fails none of them: tokens of before go on beside the old one, new ones beside the new one', async () => {
    const cookies = await Promise.all(Array.from({ length: 8 }, () => signIn()))
    calls.length = 0
    const statuses = new Set<number>()
    let isOver = false
    const work = async (at: number): Promise<void> => {
      while (!isOver) statuses.add((await send('/api/x', cookies[at % cookies.length] ?? '')).status)
    }
    const workers = Array.from({ length: 32 }, (_, at) => work(at))
    const callsGoOn = async (more: number): Promise<void> => {
      const until = calls.length + more
      while (calls.length < until) await setImmediate()
    }
    try {
      await callsGoOn(100)
      // Two files cannot be changed at once: half of it is no pair.
      writeFileSync(join(folder, 'live.crt'), second.certificate)
      await callsGoOn(100)
      install(second)
      cookies.push(await signIn())
      await callsGoOn(100)
      // From now on everybody's token is refreshed.
      offsetMs += 595_000
      await callsGoOn(200)
    } finally {
      isOver = true
      await Promise.all(workers)
      install(first)
    }
    expect([...statuses]).toEqual([200])
    expect(calls.filter(({ shown, bound }) => shown !== bound)).toEqual([])
    expect(new Set(calls.map(({ shown }) => shown))).toEqual(new Set([first.thumbprint, second.thumbprint]))
    expect(calls.at(-1)?.shown).toBe(second.thumbprint)
  })
})

describe('a node that no longer has the certificate of a token', () => {
  it('gets another token before it asks the API, and does not ask the provider for each request', async () => {
    const cookie = await signIn()
    calls.length = 0
    install(second)
    const { certificate, key } = second
    const files = { CLIENT_CERTIFICATE_FILE: '', CLIENT_CERTIFICATE_KEY_FILE: '' }
    const node = await open({ ...files, CLIENT_CERTIFICATE: certificate, CLIENT_CERTIFICATE_KEY: key })
    try {
      const before = provider.count('/token')
      provider.faults.token = () => ({ status: 503 })
      const statuses = [await send('/api/a', cookie, 'GET', node), await send('/api/b', cookie, 'GET', node)]
      expect(statuses.map(({ status }) => status)).toEqual([401, 401])
      expect(provider.count('/token') - before).toBe(1)
      delete provider.faults.token
      offsetMs += 61_000
      expect((await send('/api/c', cookie, 'GET', node)).status).toBe(200)
      expect(calls.at(-1)).toEqual({ shown: second.thumbprint, bound: second.thumbprint })
      expect((await send('/session', cookie, 'GET', node)).json().authenticated).toBe(true)
    } finally {
      await node.stop()
      install(first)
    }
  })
})
