import { randomBytes } from 'node:crypto'

/** Sessions that are taken in turn. */
export const sessionCount = 1_000
/** Longer than any run. */
export const lifetimeSeconds = 7_200

const base64url = (bytes: number): string => randomBytes(bytes).toString('base64url')

/** A text of the form and size of a JWT; nobody on the way checks it. */
export function makeToken(length: number): string {
  const header = Buffer.from('{"alg":"RS256","typ":"at+jwt"}').toString('base64url')
  const signature = base64url(256)
  const payloadLength = length - header.length - signature.length - 2
  return `${header}.${base64url(payloadLength).slice(0, payloadLength)}.${signature}`
}

/** A session's parts, the same size for every gateway. */
export interface BenchSession {
  readonly id: string
  readonly accessToken: string
  readonly idToken: string
  readonly refreshToken: string
}

/** Access tokens as Auth0 issues them with permissions. */
const accessTokenLength = 1_200
const idTokenLength = 900
const refreshTokenBytes = 40

/** Makes the sessions that every gateway with sessions is given. */
export function makeSessions(): readonly BenchSession[] {
  return Array.from({ length: sessionCount }, () => ({
    id: base64url(32),
    accessToken: makeToken(accessTokenLength),
    idToken: makeToken(idTokenLength),
    refreshToken: base64url(refreshTokenBytes),
  }))
}
