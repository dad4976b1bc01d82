import { randomBytes } from 'node:crypto'

/** Sessions that are taken in turn. */
export const sessionCount = 1_000
/** Longer than any run. */
export const lifetimeSeconds = 7_200

const base64url = (bytes: number): string => randomBytes(bytes).toString('base64url')

/** A JWT of about that length whose signature nobody on the way checks. */
export function makeToken(length: number): string {
  const header = Buffer.from('{"alg":"RS256","typ":"JWT"}').toString('base64url')
  const signature = base64url(256)
  const frame = JSON.stringify({ sub: 'bench', filler: '' })
  // Base64 makes four characters of three bytes, and the filler is base64 within base64.
  const payloadBytes = Math.floor(((length - header.length - signature.length - 2) * 3) / 4)
  const filler = base64url(payloadBytes).slice(0, payloadBytes - frame.length)
  const payload = Buffer.from(JSON.stringify({ sub: 'bench', filler })).toString('base64url')
  return `${header}.${payload}.${signature}`
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
