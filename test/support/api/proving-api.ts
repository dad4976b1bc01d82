import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { claimsOf, createProofVerifier, type ProofVerifier, valuesOf } from './proof-verifier.ts'

/** A request as the API got it, and what it said. */
export interface ProvedCall {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly status: number
  /** What was wrong, or empty. */
  readonly fault: string
}

/** An API that takes a token only from who proves to have its key (RFC 9449 section 7), and knows nothing of the gateway. */
export interface ProvingApi {
  readonly url: string
  readonly calls: ProvedCall[]
  /** Shared by the whole API, so that a proof that was taken once is refused for ever. */
  readonly verifier: ProofVerifier
  /** Changed between tests. */
  readonly behaviour: {
    nonces: () => readonly string[]
    answerEarly: boolean
    name: string
    otherChallenges: string
  }
  stop(): Promise<void>
}

/** @param publicKeys the provider's */
export async function startProvingApi(publicKeys: () => readonly JsonWebKey[]): Promise<ProvingApi> {
  const calls: ProvedCall[] = []
  const behaviour: ProvingApi['behaviour'] = {
    nonces: () => [],
    answerEarly: false,
    name: '',
    otherChallenges: '',
  }
  const verifier = createProofVerifier(() => behaviour.nonces())
  const server = createServer((request, response) => void answer(request, response))
  const sockets = new WebSocketServer({ noServer: true })

  function faultOf({ rawHeaders, method = '', url = '' }: IncomingMessage): string {
    const [authorization = '', ...more] = valuesOf(rawHeaders, 'authorization')
    const accessToken = /^DPoP ([\w.-]+)$/.exec(authorization)?.[1]
    if (accessToken === undefined || more.length > 0) return `authorization ${authorization.split(' ')[0]}`
    try {
      const proofs = valuesOf(rawHeaders, 'dpop')
      const jkt = verifier.verify({ proofs, method, url: `${behaviour.name}${url}`, accessToken })
      const bound = claimsOf(accessToken).cnf as { jkt?: string } | undefined
      if (bound?.jkt !== jkt) return 'cnf'
      return publicKeys().some((key) => isSignedBy(accessToken, key)) ? '' : 'token signature'
    } catch (error) {
      return error instanceof Error ? error.message : 'unknown'
    }
  }

  function headersOf(fault: string): Record<string, string> {
    const [nonce] = behaviour.nonces()
    const error = fault === 'use_dpop_nonce' ? fault : 'invalid_token'
    return {
      ...(nonce === undefined ? {} : { 'DPoP-Nonce': nonce }),
      ...(fault === '' ? {} : { 'www-authenticate': `${behaviour.otherChallenges}dPoP error="${error}"` }),
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = faultOf(request)
    const status = fault === '' ? 200 : 401
    const note = (body: Buffer): void => {
      const { method = '', url: target = '', rawHeaders } = request
      calls.push({ method, target, rawHeaders, body, status, fault })
    }
    if (behaviour.answerEarly && fault !== '') {
      note(Buffer.alloc(0))
      response.writeHead(status, headersOf(fault)).end()
      return
    }
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      return
    }
    note(Buffer.concat(chunks))
    if (request.url?.includes('/events') === true && fault === '') {
      response.writeHead(200, { ...headersOf(fault), 'content-type': 'text/event-stream' })
      response.write('data: hello\n\n')
      return
    }
    response
      .writeHead(status, { ...headersOf(fault), 'content-type': 'text/plain' })
      .end(`${Buffer.concat(chunks).length}`)
  }

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const fault = faultOf(request)
    const { method = '', url: target = '', rawHeaders } = request
    calls.push({ method, target, rawHeaders, body: head, status: fault === '' ? 101 : 401, fault })
    if (fault !== '') {
      const lines = Object.entries(headersOf(fault)).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.end(`HTTP/1.1 401 Unauthorized\r\n${lines.join('')}content-length: 0\r\n\r\n`)
      return
    }
    sockets.handleUpgrade(request, socket, head, (open) => {
      open.on('message', (data, isBinary) => open.send(data, { binary: isBinary }))
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  behaviour.name = url
  return {
    url,
    calls,
    verifier,
    behaviour,
    async stop() {
      for (const open of sockets.clients) open.terminate()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function isSignedBy(jwt: string, jwk: JsonWebKey): boolean {
  const [head = '', body = '', signature = ''] = jwt.split('.')
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  return verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
}
