import { generateKeyPairSync, type JsonWebKey, randomUUID, sign } from 'node:crypto'

/** Signs tokens with RS256, as Auth0 and most others do. */
export interface TestKeys {
  /** What stands in the JSON Web Key Set (RFC 7517). */
  readonly publicJwk: JsonWebKey
  /** @param type the header's `typ` */
  sign(type: string, claims: Readonly<Record<string, unknown>>): string
}

const modulusLength = 2_048

/** Makes a new key pair. */
export function createTestKeys(): TestKeys {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength })
  const kid = randomUUID()
  return {
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' },
    sign(type, claims) {
      const content = `${encode({ alg: 'RS256', typ: type, kid })}.${encode(claims)}`
      return `${content}.${sign('sha256', Buffer.from(content), privateKey).toString('base64url')}`
    },
  }
}

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
