import { generateKeyPairSync, sign } from 'node:crypto'
import type { Answer } from '../exchange.ts'

/** Whatever sends requests with the cookies of a browser. */
export interface Sender {
  fetch(
    path: string,
    options: { readonly method: string; readonly headers: Readonly<Record<string, string>> },
  ): Promise<Answer>
}

/** What a browser that binds sessions to its device does by itself, done by hand. */
export interface SoftwareDevice {
  /** The answer of the offer that an answer of `/session` carried. */
  register(tab: Sender, offer: string, changes?: Partial<ProofParts>): Promise<Answer>
  /** Asks for a challenge and answers it. */
  renew(tab: Sender, sessionId: string, changes?: Partial<ProofParts>): Promise<Answer>
  /** A proof for a challenge. */
  proof(challenge: string, changes?: Partial<ProofParts>): string
}

/** What a proof is made of. */
export interface ProofParts {
  readonly typ: string
  readonly alg: string
  readonly jwk: unknown
  readonly challenge: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** The challenge of an offer, or of a 403. */
export function challengeOf(header: string): string {
  return /challenge="([^"]+)"/.exec(header)?.[1] ?? /^"([^"]+)"/.exec(header)?.[1] ?? ''
}

/** Makes a device with a key of its own. */
export function createSoftwareDevice(): SoftwareDevice {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
  const proof = (challenge: string, changes: Partial<ProofParts> = {}, withKey = false): string => {
    const jwk = changes.jwk ?? (withKey ? { kty, crv, x, y } : undefined)
    const header = { alg: changes.alg ?? 'ES256', typ: changes.typ ?? 'dbsc+jwt', ...(jwk ? { jwk } : {}) }
    const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
    const input = `${encode(header)}.${encode({ jti: changes.challenge ?? challenge })}`
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }
  return {
    proof,
    register: (tab, offer, changes = {}) =>
      tab.fetch(changes.path ?? /path="([^"]+)"/.exec(offer)?.[1] ?? '', {
        method: 'POST',
        headers: { 'secure-session-response': proof(challengeOf(offer), changes, true), ...changes.headers },
      }),
    async renew(tab, sessionId, changes = {}) {
      const path = changes.path ?? '/device/refresh'
      const headers = { 'sec-secure-session-id': sessionId, ...changes.headers }
      const asked = await tab.fetch(path, { method: 'POST', headers })
      const challenge = asked.headers['secure-session-challenge']
      if (asked.status !== 403 || typeof challenge !== 'string') return asked
      const signed = { ...headers, 'secure-session-response': proof(challengeOf(challenge), changes) }
      return tab.fetch(path, { method: 'POST', headers: signed })
    },
  }
}
