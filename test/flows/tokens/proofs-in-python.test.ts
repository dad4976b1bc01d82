import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { createUpstreamProofs } from '../../../src/access/tokens/upstream-proofs.ts'
import type { SessionView } from '../../../src/session/record/session.ts'
import { createDpopKey } from '../../../src/signing/dpop-key.ts'
import { createNonceMemory } from '../../../src/signing/nonces.ts'

const script = fileURLToPath(new URL('../../support/api/proof_verifier.py', import.meta.url))
const python = spawn('python3', ['-u', script], { stdio: ['pipe', 'pipe', 'inherit'] })
const lines = createInterface(python.stdout)[Symbol.asyncIterator]()
afterAll(async () => {
  python.stdin.end()
  await once(python, 'exit')
})

async function judge(received: object): Promise<string | undefined> {
  python.stdin.write(`${JSON.stringify(received)}\n`)
  const { value } = await lines.next()
  return value
}

const key = createDpopKey()
const accessToken = 'an.access.token'
const place = { nonceOrigin: 'https://api.test', base: 'https://api.test/v1', skipped: 4 }

function prove(method: string, target: string, nowMs = Date.now()): string {
  const proofs = createUpstreamProofs(createNonceMemory(), () => nowMs)
  const binding = { kind: 'dpop', privateJwk: { ...key.publicJwk, d: key.secret } } as const
  const token = { value: accessToken, obtainedAtMs: 0, expiresAtMs: 1, boundTo: key.thumbprint }
  const session = { binding } as unknown as SessionView
  return proofs.proofFor(place, { method, target, session }, token) ?? ''
}

describe('a verifier in another language, of another library', () => {
  it.each([
    ['GET', '/api/orders?page=2', 'https://api.test/v1/orders?page=2'],
    ['DELETE', '/api/a%20b', 'https://api.test/v1/a%20b'],
    ['POST', '/api', 'https://api.test/v1'],
  ])('takes our proof for %s %s', async (method, target, url) => {
    expect(await judge({ proof: prove(method, target), method, url, accessToken })).toBe(key.thumbprint)
  })

  it('refuses it twice, elsewhere, for another method or token, changed, and old', async () => {
    const [method, url] = ['GET', 'https://api.test/v1/x']
    const proof = prove('GET', '/api/x')
    expect(await judge({ proof, method: 'PUT', url, accessToken })).toBe('refused: htm')
    expect(await judge({ proof, method, url: `${url}/y`, accessToken })).toBe('refused: htu')
    expect(await judge({ proof, method, url, accessToken: 'another' })).toBe('refused: ath')
    const [head, , signature] = proof.split('.')
    const [, body] = prove('GET', '/api/x').split('.')
    expect(await judge({ proof: `${head}.${body}.${signature}`, method, url, accessToken })).toBe(
      'refused: InvalidSignature',
    )
    expect(await judge({ proof, method, url, accessToken })).toBe(key.thumbprint)
    expect(await judge({ proof, method, url, accessToken })).toBe('refused: jti')
    const old = prove('GET', '/api/x', Date.now() - 61_000)
    expect(await judge({ proof: old, method, url, accessToken })).toBe('refused: iat')
  })
})
