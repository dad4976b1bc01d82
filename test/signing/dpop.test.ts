import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createDpopKey, openDpopKey } from '../../src/signing/dpop-key.ts'
import { createDpopProof, proofUrl } from '../../src/signing/dpop-proof.ts'
import { type ExpectedProof, ProofError, verifyDpopProof } from '../../src/signing/dpop-verifier.ts'
import { signJwt } from '../../src/signing/jws.ts'
import { sha256 } from '../../src/signing/thumbprints.ts'

const key = createDpopKey()
const nowMs = 1_800_000_000_500
const accessTokenHash = sha256('token')
const url = 'https://api.example.com/v1/orders'
const target = { method: 'GET', url, accessTokenHash, nonce: undefined }
const expected: ExpectedProof = {
  method: 'GET',
  url: new URL(`${url}?page=2`),
  accessTokenHash,
  thumbprint: key.thumbprint,
  nowMs,
}

function parts(jwt: string) {
  const [header = '', payload = '', signature = ''] = jwt.split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  return { header: read(header), payload: read(payload), input: `${header}.${payload}`, signature }
}

describe('a DPoP proof', () => {
  it('is one that a verifier of node:crypto alone takes', () => {
    const proof = createDpopProof(key, { ...target, nonce: 'n"1;#' }, nowMs)
    const { header, payload, input, signature } = parts(proof)
    expect(header).toEqual({ typ: 'dpop+jwt', alg: 'ES256', jwk: { ...key.publicJwk } })
    expect(header.jwk).not.toHaveProperty('d')
    const publicKey = createPublicKey({ key: header.jwk, format: 'jwk' })
    const bytes = Buffer.from(signature, 'base64url')
    expect(verify('sha256', Buffer.from(input), { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes)).toBe(
      true,
    )
    const { crv, kty, x, y } = header.jwk
    const digest = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
    expect(key.thumbprint).toBe(digest)
    expect(payload).toMatchObject({ htm: 'GET', htu: url, iat: 1_800_000_000, nonce: 'n"1;#' })
    expect(payload.ath).toBe(createHash('sha256').update('token').digest('base64url'))
    expect(parts(createDpopProof(key, target, nowMs)).payload.jti).not.toBe(payload.jti)
  })

  it('names no access token and no nonce where there is none, and no query', () => {
    const { payload } = parts(
      createDpopProof(
        key,
        {
          method: 'POST',
          url: proofUrl(new URL('https://x.example/token?a=1#b')),
          accessTokenHash: undefined,
          nonce: undefined,
        },
        nowMs,
      ),
    )
    expect(Object.keys(payload).sort()).toEqual(['htm', 'htu', 'iat', 'jti'])
    expect(payload.htu).toBe('https://x.example/token')
  })

  it('comes from the same key after its secret was kept, for any key', () => {
    for (let round = 0; round < 50; round++) {
      const made = createDpopKey()
      const opened = openDpopKey(made.secret)
      expect(opened.thumbprint).toBe(made.thumbprint)
      verifyDpopProof(createDpopProof(opened, target, nowMs), { ...expected, thumbprint: made.thumbprint })
    }
    expect(() => openDpopKey('x'.repeat(42))).toThrow(TypeError)
  })
})

describe('the verifier of proofs', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const goodHeader = { typ: 'dpop+jwt', jwk: key.publicJwk }
  const goodPayload = { jti: 'a', htm: 'GET', htu: url, iat: 1_800_000_000, ath: accessTokenHash }
  const signed = (header: object, payload: object) =>
    signJwt(
      { ...goodHeader, ...header },
      { ...goodPayload, ...payload },
      { privateKey: key.privateKey, algorithm: 'ES256' },
    )

  it('takes a genuine one, and says what has to be remembered of it', () => {
    expect(verifyDpopProof(signed({}, {}), expected)).toEqual({
      jti: 'a',
      thumbprint: key.thumbprint,
      usableUntilMs: 1_800_000_060_000,
    })
    verifyDpopProof(signed({}, { htu: 'HTTPS://API.example.com:443/v1/orders?x=1#f' }), expected)
  })

  it.each([
    ['no typ', { typ: undefined }, {}, 'typ'],
    ['the typ of any JWT', { typ: 'JWT' }, {}, 'typ'],
    ['a critical extension', { crit: ['x'], x: 1 }, {}, 'crit'],
    ['an unencoded payload', { b64: false }, {}, 'crit'],
    ['a private key in the header', { jwk: { ...key.publicJwk, d: key.secret } }, {}, 'private'],
    ['no key', { jwk: undefined }, {}, 'jwk'],
    ['a symmetric key', { jwk: { kty: 'oct', k: 'AAAA' } }, {}, 'private'],
    ['a point off the curve', { jwk: { ...key.publicJwk, x: key.publicJwk.y } }, {}, 'jwk'],
    ['another key', { jwk: createDpopKey().publicJwk }, {}, 'signature'],
    ['another method', {}, { htm: 'POST' }, 'htm'],
    ['another path', {}, { htu: 'https://api.example.com/v1/order' }, 'htu'],
    ['another host', {}, { htu: 'https://api.example.com.evil/v1/orders' }, 'htu'],
    ['no URL', {}, { htu: 7 }, 'htu'],
    ['another token', {}, { ath: sha256('other') }, 'ath'],
    ['no token', {}, { ath: undefined }, 'ath'],
    ['no jti', {}, { jti: undefined }, 'jti'],
    ['a jti too long', {}, { jti: 'j'.repeat(257) }, 'jti'],
    ['a stale iat', {}, { iat: 1_799_999_900 }, 'iat is old'],
    ['an iat ahead', {}, { iat: 1_800_000_060 }, 'iat is ahead'],
    ['an iat that is text', {}, { iat: '1800000000' }, 'iat'],
  ])('refuses %s', (_name, header, payload, check) => {
    expect(() => verifyDpopProof(signed(header, payload), expected)).toThrow(check)
    expect(() => verifyDpopProof(signed(header, payload), expected)).toThrow(ProofError)
  })

  it('refuses a token bound to another key, a signature spelt otherwise, several proofs, and what is none', () => {
    const proof = signed({}, {})
    expect(() => verifyDpopProof(proof, { ...expected, thumbprint: createDpopKey().thumbprint })).toThrow(
      'bound',
    )
    const lastBits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const at = lastBits.indexOf(proof.at(-1) ?? '')
    const respelt = `${proof.slice(0, -1)}${lastBits[at ^ 1]}`
    expect(Buffer.from(respelt, 'base64url')).toEqual(Buffer.from(proof, 'base64url'))
    expect(() => verifyDpopProof(respelt, expected)).toThrow('signature')
    for (const none of [undefined, '', `${proof}, ${proof}`, 'a.b', 'a.b.c', `${proof}.`, 'x'.repeat(5_000)])
      expect(() => verifyDpopProof(none, expected)).toThrow(ProofError)
    const none = signJwt({ ...goodHeader, alg: 'none' }, goodPayload, {
      privateKey: rsa.privateKey,
      algorithm: 'RS256',
    })
    expect(() => verifyDpopProof(none, expected)).toThrow('alg')
  })
})
