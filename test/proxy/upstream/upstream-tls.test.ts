import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { baseUrl, cookie, routeTo, send, startProxy } from '../support/harness.ts'

let folder: string
let server: Server
let origin: string
const seen: { authorization: string | undefined; clientName: string | undefined }[] = []

/** A certificate for 127.0.0.1 that is its own authority. */
function certificate(name: string): { cert: string; key: string } {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    ...subject,
    '-keyout',
    key,
    '-out',
    cert,
  ]
  execFileSync('openssl', args, { stdio: 'ignore' })
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}

let own: { cert: string; key: string }
let client: { cert: string; key: string }

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'coatcheck-tls-'))
  own = certificate('upstream')
  client = certificate('gateway')
  server = createServer(
    { ...own, requestCert: true, rejectUnauthorized: false, ca: [client.cert] },
    (request, response) => {
      const socket = request.socket as TLSSocket
      const name = socket.getPeerCertificate()?.subject?.CN
      seen.push({ authorization: request.headers.authorization, clientName: name?.toString() })
      response.end('safe')
    },
  )
  server.on('upgrade', (request, socket) => {
    seen.push({ authorization: request.headers.authorization, clientName: undefined })
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(folder, { recursive: true })
})

async function ask(tls: { caPem?: string; certPem?: string; keyPem?: string } | undefined, address = origin) {
  const filled = tls && { caPem: undefined, certPem: undefined, keyPem: undefined, ...tls }
  const proxy = await startProxy({ routes: [routeTo(address, { tls: filled })] })
  const answer = await send(proxy.port, '/api/x')
  await proxy.stop()
  return answer
}

describe('an https upstream', () => {
  it.each([
    ['with a certificate that nobody vouches for', undefined, undefined],
    ['with a certificate of another authority', 'other', undefined],
    ['whose certificate names another host', 'own', 'localhost'],
  ])('%s never gets a token', async (_what, authority, host) => {
    const tls = authority === undefined ? undefined : { caPem: authority === 'own' ? own.cert : client.cert }
    const before = seen.length
    const answer = await ask(tls, host === undefined ? origin : origin.replace('127.0.0.1', host))
    expect([answer.status, answer.json().code, seen.length]).toEqual([502, 'upstream_unreachable', before])
  })

  it('never gets one by WebSocket either', async () => {
    const proxy = await startProxy({ routes: [routeTo(origin)] })
    const before = seen.length
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/api/x`, {
      headers: { cookie, origin: baseUrl.origin },
    })
    const status = await new Promise((resolve) => {
      socket.on('error', () => undefined)
      socket.once('unexpected-response', (_request, answer) => resolve(answer.statusCode))
    })
    expect([status, seen.length]).toEqual([502, before])
    socket.terminate()
    await proxy.stop()
  })

  it('is asked when the route trusts its authority, with the client certificate', async () => {
    const answer = await ask({ caPem: own.cert, certPem: client.cert, keyPem: client.key })
    expect([answer.status, answer.body]).toEqual([200, 'safe'])
    expect(seen.at(-1)).toEqual({ authorization: 'Bearer token-1', clientName: 'gateway' })
  })
})
