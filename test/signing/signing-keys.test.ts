import { execFileSync } from 'node:child_process'
import { constants, generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encryptionKeys, signingKeys } from '../../src/config/settings/kinds/private-keys.ts'
import { chooseAlgorithm, fapiAlgorithms, type SigningAlgorithm } from '../../src/signing/algorithms.ts'
import { signJwt } from '../../src/signing/jws.ts'
import { publishedKeys, readPrivateKeys } from '../../src/signing/signing-keys.ts'
import { certificateThumbprint, jwkThumbprint } from '../../src/signing/thumbprints.ts'

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const ed25519 = generateKeyPairSync('ed25519')

function pem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString()
}

function jwk(key: KeyObject, members: object = {}): object {
  return { ...key.export({ format: 'jwk' }), ...members }
}

function firstKey(text: string) {
  return readPrivateKeys(text)[0]
}

/** By the letter of RFC 7518, with nothing of ours. */
function isGenuine(jwt: string, key: KeyObject, algorithm: SigningAlgorithm): boolean {
  const [header = '', payload = '', signature = ''] = jwt.split('.')
  const input = Buffer.from(`${header}.${payload}`)
  const bytes = Buffer.from(signature, 'base64url')
  if (algorithm === 'ES256') return verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, bytes)
  if (algorithm !== 'PS256') return verify(/^Ed/.test(algorithm) ? null : 'sha256', input, key, bytes)
  return verify('sha256', input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }, bytes)
}

describe('private keys', () => {
  it.each([
    ['P-256', p256, ['ES256']],
    ['RSA', rsa, ['PS256', 'RS256']],
    ['Ed25519', ed25519, ['EdDSA', 'Ed25519']],
  ] as const)('sign what others can verify: %s', (_name, { privateKey, publicKey }, algorithms) => {
    for (const text of [pem(privateKey), JSON.stringify(jwk(privateKey))]) {
      const key = firstKey(text)
      for (const algorithm of algorithms) {
        const jwt = signJwt({ typ: 'JWT' }, { sub: 'x' }, { privateKey: key.privateKey, algorithm })
        expect(isGenuine(jwt, publicKey, algorithm)).toBe(true)
        expect(JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString())).toEqual({
          typ: 'JWT',
          alg: algorithm,
        })
      }
    }
  })

  it('have the thumbprint of RFC 7638 as key id, unless a JWK has one', () => {
    const example = {
      kty: 'RSA',
      n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
      e: 'AQAB',
      alg: 'RS256',
      kid: '2011-04-29',
    }
    expect(jwkThumbprint(example)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
    expect(firstKey(pem(p256.privateKey)).keyId).toBe(jwkThumbprint(p256.publicKey.export({ format: 'jwk' })))
    expect(firstKey(JSON.stringify(jwk(p256.privateKey, { kid: 'mine' }))).keyId).toBe('mine')
  })

  it('are published without anything private, in their order', () => {
    const set = {
      keys: [jwk(rsa.privateKey, { kid: 'new', alg: 'PS256' }), jwk(p256.privateKey, { kid: 'old' })],
    }
    const published = publishedKeys(readPrivateKeys(JSON.stringify(set)), 'sig')
    expect(published.map(({ kid, alg, use }) => [kid, alg, use])).toEqual([
      ['new', 'PS256', 'sig'],
      ['old', 'ES256', 'sig'],
    ])
    for (const key of published) {
      for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi']) expect(key).not.toHaveProperty(name)
    }
    const several = readPrivateKeys(`${pem(p256.privateKey)}\n${pem(ed25519.privateKey)}`)
    expect(several.map(({ publicJwk }) => publicJwk.kty)).toEqual(['EC', 'OKP'])
    expect(publishedKeys(readPrivateKeys(pem(rsa.privateKey)), 'sig')[0]).not.toHaveProperty('alg')
  })

  it('know the certificate that stands beside them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'coatcheck-keys-'))
    try {
      const keyFile = join(folder, 'key.pem')
      writeFileSync(keyFile, pem(rsa.privateKey))
      const certificate = execFileSync(
        'openssl',
        ['req', '-x509', '-key', keyFile, '-subj', '/CN=coatcheck', '-days', '2'],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      ).toString()
      const der = execFileSync('openssl', ['x509', '-outform', 'DER'], { input: certificate })
      const digest = execFileSync('openssl', ['dgst', '-sha256', '-binary'], { input: der })
      expect(certificateThumbprint(certificate)).toBe(digest.toString('base64url'))
      const [withOne, without] = readPrivateKeys(
        `${certificate}${pem(rsa.privateKey)}${pem(p256.privateKey)}`,
      )
      expect(withOne.certificateThumbprint).toBe(digest.toString('base64url'))
      expect(without?.certificateThumbprint).toBeUndefined()
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('the algorithm', () => {
  const rsaKey = { privateKey: rsa.privateKey, algorithm: undefined }
  const edKey = { privateKey: ed25519.privateKey, algorithm: undefined }

  it('is the best that both sides have, and EdDSA is written as announced', () => {
    expect(chooseAlgorithm(rsaKey, ['RS256', 'PS256'])).toBe('PS256')
    expect(chooseAlgorithm(rsaKey, ['RS256'])).toBe('RS256')
    expect(chooseAlgorithm(rsaKey, undefined)).toBe('RS256')
    expect(chooseAlgorithm(rsaKey, undefined, fapiAlgorithms)).toBe('PS256')
    expect(chooseAlgorithm(rsaKey, ['RS256'], fapiAlgorithms)).toBeUndefined()
    expect(chooseAlgorithm(rsaKey, ['ES256'])).toBeUndefined()
    expect(chooseAlgorithm(edKey, undefined)).toBe('EdDSA')
    expect(chooseAlgorithm(edKey, ['Ed25519'])).toBe('Ed25519')
    expect(chooseAlgorithm({ ...rsaKey, algorithm: 'RS256' }, ['RS256', 'PS256'])).toBe('RS256')
    expect(chooseAlgorithm({ ...edKey, algorithm: 'EdDSA' }, ['Ed25519'])).toBe('Ed25519')
  })
})

describe('texts that are no keys', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const encrypted = p256.privateKey.export({
    format: 'pem',
    type: 'pkcs8',
    cipher: 'aes-256-cbc',
    passphrase: 'secret',
  })
  it.each([
    ['RSA of 1,024 bits', pem(weak), 'at least 2048'],
    ['a public key', p256.publicKey.export({ format: 'pem', type: 'spki' }).toString(), 'no private key'],
    ['a public JWK', JSON.stringify(jwk(p256.publicKey)), 'without a private part'],
    ['a JWK that is symmetric', '{"kty":"oct","k":"c2VjcmV0"}', 'without a private part'],
    ['an empty JWK Set', '{"keys":[]}', 'without keys'],
    ['half a JWK', '{"kty":"EC",', 'no JSON object'],
    ['PEM cut short', pem(p256.privateKey).replace(/\n.{20}/, '\n'), 'cannot be read'],
    ['a passphrase', encrypted.toString(), 'passphrase'],
    ['a curve that nothing here signs with', pem(p384), 'neither P-256'],
  ])('are refused without being repeated: %s', (_name, text, problem) => {
    expect(() => signingKeys(text)).toThrow(problem)
    try {
      signingKeys(text)
    } catch (error) {
      if (text.length > 100) expect(String(error)).not.toContain(text.slice(40, 70))
    }
  })

  it('may open what is encrypted nevertheless', () => {
    expect(encryptionKeys(pem(p384))).toBe(pem(p384))
    expect(() => encryptionKeys(pem(ed25519.privateKey))).toThrow('neither RSA')
  })
})
