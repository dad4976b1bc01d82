import { createHash, randomUUID } from 'node:crypto'
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sendRaw } from '../../proxy/support/harness.ts'
import { valuesOf } from '../../support/api/upstream.ts'
import type { Answer } from '../../support/exchange.ts'
import { type AccessWorld, startAccessWorld } from '../../support/worlds/access-world.ts'

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const kinds = ['user', 'exchange', 'client', 'gateway', 'none'] as const

/** A key of a caller's own. */
interface CallerKey {
  readonly algorithm: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
  readonly thumbprint: string
}

async function newKey(algorithm = 'ES256'): Promise<CallerKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  return { algorithm, privateKey, publicJwk, thumbprint: await calculateJwkThumbprint(publicJwk) }
}

let world: AccessWorld
let key: CallerKey
let token: string

beforeAll(async () => {
  world = await startAccessWorld(
    kinds.map((kind) => ({ prefix: `/app/${kind}`, token: kind, callers: ['session', 'bearer'] })),
    { RATE_LIMIT: 'off' },
  )
  world.provider.faults.token = (answer, form) => {
    if (form.get('grant_type') !== exchangeGrant) return undefined
    const { access_token, token_type, expires_in } = answer
    const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token'
    return { body: { access_token, token_type, expires_in, issued_token_type } }
  }
  key = await newKey()
  token = await world.bearer({ cnf: { jkt: key.thumbprint } })
}, 60_000)
afterAll(() => world.stop())

interface ProofChanges {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly by?: CallerKey
}

function prove({ claims = {}, header = {}, by = key }: ProofChanges = {}): Promise<string> {
  const ath = createHash('sha256').update(token).digest('base64url')
  const now = Math.floor(world.nowMs() / 1_000)
  const payload = {
    htm: 'GET',
    htu: `${world.origin}/app/none/x`,
    iat: now,
    jti: randomUUID(),
    ath,
    ...claims,
  }
  return new SignJWT(payload)
    .setProtectedHeader({ typ: 'dpop+jwt', alg: by.algorithm, jwk: by.publicJwk, ...header })
    .sign(by.privateKey)
}

const withProof = (proof: string) => ({ authorization: `DPoP ${token}`, dpop: proof })
const call = (proof: string, path = '/app/none/x', method = 'GET') =>
  world.arrivedOf(() => world.get(path, withProof(proof), method))

function expectRefused([answer, arrived]: readonly [Answer, unknown], reason: string): void {
  expect([answer.status, answer.json().code, arrived]).toEqual([401, 'bearer_invalid', undefined])
  expect(answer.headers['www-authenticate']).toBe(
    `DPoP error="invalid_dpop_proof", error_description="${reason}", algs="ES256 PS256 RS256 EdDSA", resource_metadata="${world.origin}/.well-known/oauth-protected-resource/app/none"`,
  )
}

describe('a caller whose token is bound to its key', () => {
  it.each(['ES256', 'PS256', 'RS256', 'EdDSA'])(
    'is let in with a proof signed with %s',
    async (algorithm) => {
      const own = await newKey(algorithm)
      const before = token
      token = await world.bearer({ cnf: { jkt: own.thumbprint } })
      const [answer, arrived] = await call(await prove({ by: own }), '/app/none/x?page=2')
      token = before
      expect(answer.status).toBe(200)
      expect(valuesOf(arrived!, 'authorization')).toEqual([])
      expect(valuesOf(arrived!, 'dpop'), 'the proof is for us alone').toEqual([])
    },
  )

  it.each(kinds)('never sees its token passed on by token: %s', async (kind) => {
    const proof = await prove({ claims: { htu: `${world.origin}/app/${kind}/x` } })
    const [answer, arrived] = await call(proof, `/app/${kind}/x`)
    if (kind === 'user') {
      expect([answer.status, answer.json().code, arrived]).toEqual([401, 'bearer_invalid', undefined])
      return
    }
    expect(answer.status).toBe(200)
    expect(JSON.stringify(arrived?.headers)).not.toContain(token)
    expect(valuesOf(arrived!, 'authorization')).toHaveLength(kind === 'none' ? 0 : 1)
    expect(valuesOf(arrived!, 'dpop')).toEqual([])
  })

  it('cannot use a proof twice, nor can two requests at once', async () => {
    const proof = await prove()
    expect((await call(proof))[0].status).toBe(200)
    expectRefused(await call(proof), 'the proof was used before')
    const raced = await prove()
    const answers = await Promise.all([1, 2, 3, 4].map(() => world.get('/app/none/x', withProof(raced))))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401])
  })

  it('may use a proof’s `jti` again once its time is over, and not before', async () => {
    const jti = randomUUID()
    expect((await call(await prove({ claims: { jti } })))[0].status).toBe(200)
    expectRefused(await call(await prove({ claims: { jti } })), 'the proof was used before')
    world.pass(62_000)
    expect((await call(await prove({ claims: { jti } })))[0].status).toBe(200)
  })

  it.each<[string, (now: number) => ProofChanges, string]>([
    ['61 s old', (now) => ({ claims: { iat: now - 62 } }), 'iat is old'],
    ['of the future', (now) => ({ claims: { iat: now + 30 } }), 'iat is ahead'],
    ['without a time', () => ({ claims: { iat: undefined } }), 'iat'],
    ['with a time that is text', (now) => ({ claims: { iat: `${now}` } }), 'iat'],
    ['for another method', () => ({ claims: { htm: 'POST' } }), 'htm'],
    ['for the method in lower case', () => ({ claims: { htm: 'get' } }), 'htm'],
    ['for another path', () => ({ claims: { htu: `${world.origin}/app/none/y` } }), 'htu'],
    ['for another host', () => ({ claims: { htu: 'https://evil.example/app/none/x' } }), 'htu'],
    ['for the upstream', () => ({ claims: { htu: `${world.api.origin}/app/none/x` } }), 'htu'],
    ['for a path alone', () => ({ claims: { htu: '/app/none/x' } }), 'htu'],
    [
      'for another token',
      () => ({ claims: { ath: createHash('sha256').update('x').digest('base64url') } }),
      'ath',
    ],
    ['for no token', () => ({ claims: { ath: undefined } }), 'ath'],
    ['without a name', () => ({ claims: { jti: undefined } }), 'jti'],
    ['with a name that is too long', () => ({ claims: { jti: 'x'.repeat(257) } }), 'jti'],
    ['of another type', () => ({ header: { typ: 'JWT' } }), 'typ'],
    ['without a key', () => ({ header: { jwk: undefined } }), 'jwk'],
  ])('is refused with a proof that is %s', async (_, changes, reason) => {
    expectRefused(await call(await prove(changes(Math.floor(world.nowMs() / 1_000)))), reason)
  })

  it('is refused with a proof by another key, with its own key in it or not', async () => {
    const other = await newKey()
    expectRefused(await call(await prove({ by: other })), 'jwk is not the key that the token is bound to')
    expectRefused(await call(await prove({ by: other, header: { jwk: key.publicJwk } })), 'signature')
  })

  it('is refused with a proof that gives the private key away, or is signed with a secret or not at all', async () => {
    const jwk = await exportJWK(key.privateKey)
    expectRefused(await call(await prove({ header: { jwk } })), 'jwk is private')
    const [head = '', payload = ''] = (await prove()).split('.')
    const secret = { kty: 'oct', k: 'c2VjcmV0' }
    const symmetric = await new SignJWT(JSON.parse(Buffer.from(payload, 'base64url').toString()))
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'HS256', jwk: secret })
      .sign(Buffer.from('secret'))
    expectRefused(await call(symmetric), 'jwk is private')
    for (const alg of ['none', 'HS256']) {
      const header = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), alg }
      const named = Buffer.from(JSON.stringify(header)).toString('base64url')
      expectRefused(await call(`${named}.${payload}.c2ln`), 'alg')
    }
  })

  it('is refused without a proof, or with its token sent as if it were bound to nothing', async () => {
    expectRefused(
      await world.arrivedOf(() => world.get('/app/none/x', { authorization: `DPoP ${token}` })),
      'missing',
    )
    const headers = { authorization: `Bearer ${token}`, dpop: await prove() }
    const [bearer, nothing] = await world.arrivedOf(() => world.get('/app/none/x', headers))
    expect([bearer.status, bearer.json().code, nothing]).toEqual([401, 'bearer_invalid', undefined])
    expect(bearer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token"/)
  })

  it('is refused with two proofs, both good, in two headers or in one', async () => {
    const [first, second] = [await prove(), await prove()]
    const before = world.api.requests.length
    const lines = (...proofs: readonly string[]) =>
      [
        'GET /app/none/x HTTP/1.1',
        `Host: 127.0.0.1:${world.port}`,
        `Authorization: DPoP ${token}`,
        ...proofs.map((proof) => `DPoP: ${proof}`),
        'Connection: close',
      ].join('\r\n')
    for (const request of [lines(first, second), lines(`${first}, ${second}`), lines(first, '')])
      expect(await sendRaw(world.port, `${request}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 401 /)
    expect(world.api.requests).toHaveLength(before)
    expect(await sendRaw(world.port, `${lines(first)}\r\n\r\n`), 'none of them was spent').toMatch(
      /^HTTP\/1\.1 200 /,
    )
  })

  it('with a token that is bound to nothing needs no proof, and cannot call it a bound one', async () => {
    const plain = await world.bearer()
    const [answer] = await world.arrivedOf(() =>
      world.get('/app/none/x', { authorization: `DPoP ${plain}`, dpop: 'x' }),
    )
    expect([answer.status, answer.json().code]).toEqual([401, 'bearer_invalid'])
  })
})
