import { hash, randomBytes } from 'node:crypto'
import type { Sealer } from '../../sealing/sealer.ts'

/** 256 random bits: cannot be guessed, so a lookup by hash needs no signature. */
const sessionIdBytes = 32
/** 128 random bits: write ids only have to differ from each other. */
const writeIdBytes = 16
const sessionIdPattern = /^[A-Za-z0-9_-]{43}$/

/** What every session's key begins with; the prefix of the invalidation feed. */
export const sessionKeyPrefix = 'coatcheck:session:'

/** A session id that nobody has seen yet, base64url, 43 characters. It belongs in the cookie and nowhere else. */
export function newSessionId(): string {
  return randomBytes(sessionIdBytes).toString('base64url')
}

/** Whether a cookie's value has the form of a session id; anything else is not worth a look into the store. */
export function isSessionId(untrusted: string): boolean {
  return sessionIdPattern.test(untrusted)
}

/** `h`: the name under which the store knows a session, base64url SHA-256 of its id. */
export function hashSessionId(id: string): string {
  return hash('sha256', id, 'base64url')
}

/** Whether a text has the form of {@link hashSessionId}'s result. */
export function isSessionHash(untrusted: string): boolean {
  return sessionIdPattern.test(untrusted)
}

/** Names one write of a session record. */
export function newWriteId(): string {
  return randomBytes(writeIdBytes).toString('base64url')
}

/** The store's key of a session; the braces make `h` its hash tag on a Cluster. */
export function sessionKey(h: string): string {
  return `${sessionKeyPrefix}{${h}}`
}

/** The `h` of a session's key, `undefined` when the key is not one. */
export function hashOfSessionKey(untrustedKey: string): string | undefined {
  const h = untrustedKey.slice(sessionKeyPrefix.length + 1, -1)
  return isSessionHash(h) && untrustedKey === sessionKey(h) ? h : undefined
}

/** The store's key of a session's refresh lease, in the slot of the session itself. */
export function leaseKey(h: string): string {
  return `coatcheck:refresh:{${h}}`
}

/** A key that exists under the first secret, and under every secret for finding what an older one wrote. */
export interface RotatingKey {
  /** Where to write. */
  readonly current: string
  /** Where to read: `current` first, then those of older secrets. */
  readonly all: readonly string[]
}

function rotatingKey(sealer: Sealer, prefix: string, kind: string, parts: readonly string[]): RotatingKey {
  const macs = sealer.hmacAll('index', JSON.stringify([kind, ...parts]))
  const all = macs.map((mac) => `${prefix}${mac}`)
  return { current: all[0] ?? prefix, all }
}

/** Index of a user's sessions. */
export function subjectIndexKey(sealer: Sealer, issuer: string, subject: string): RotatingKey {
  return rotatingKey(sealer, 'coatcheck:by-sub:', 'sub', [issuer, subject])
}

/** Index of the sessions that belong to one session at the provider. */
export function providerSessionIndexKey(
  sealer: Sealer,
  issuer: string,
  providerSessionId: string,
): RotatingKey {
  return rotatingKey(sealer, 'coatcheck:by-sid:', 'sid', [issuer, providerSessionId])
}

/** Tombstone of everything a user had when it was written. */
export function subjectTombstoneKey(sealer: Sealer, issuer: string, subject: string): RotatingKey {
  return rotatingKey(sealer, 'coatcheck:ended:', 'ended-sub', [issuer, subject])
}

/** Tombstone of one session at the provider. */
export function providerSessionTombstoneKey(
  sealer: Sealer,
  issuer: string,
  providerSessionId: string,
): RotatingKey {
  return rotatingKey(sealer, 'coatcheck:ended:', 'ended-sid', [issuer, providerSessionId])
}

/** What is kept of a redeemed `state`; random already, so a plain hash hides it. */
export function hashState(state: string): string {
  return hash('sha256', `coatcheck/state/${state}`, 'base64url')
}

/** What is kept of an executed logout token's `jti`. */
export function hashTokenId(issuer: string, jti: string): string {
  return hash('sha256', `coatcheck/jti/${JSON.stringify([issuer, jti])}`, 'base64url')
}

/** The id under which a user sees one of their sessions; cannot be used as a session. */
export function listedSessionId(sealer: Sealer, h: string): string {
  return sealer.hmac('public-id', h)
}

/** Whether an id from a user names this session, under any secret. */
export function isListedSessionId(sealer: Sealer, h: string, untrustedId: string): boolean {
  return sealer.isHmac('public-id', h, untrustedId)
}
