import { hash, randomBytes } from 'node:crypto'
import type { Sealer } from '../../sealing/sealer.ts'
import type { StoreKeys } from '../store/keys.ts'

/** 256 random bits: cannot be guessed, so a lookup by hash needs no signature. */
const sessionIdBytes = 32
/** 128 random bits: write ids only have to differ from each other. */
const writeIdBytes = 16
const sessionIdPattern = /^[A-Za-z0-9_-]{43}$/

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

/** A key that exists under the first secret, and under every secret for finding what an older one wrote. */
export interface RotatingKey {
  /** Where to write. */
  readonly current: string
  /** Where to read: `current` first, then those of older secrets. */
  readonly all: readonly string[]
}

/** Names the indexes and tombstones of users and of sessions at the provider; without the secret nobody can tell whose they are. */
export interface IndexKeys {
  /** Index of a user's sessions. */
  ofSubject(issuer: string, subject: string): RotatingKey
  /** Index of the sessions that belong to one session at the provider. */
  ofProviderSession(issuer: string, providerSessionId: string): RotatingKey
  /** Tombstone of everything a user had when it was written. */
  subjectTombstone(issuer: string, subject: string): RotatingKey
  /** Tombstone of one session at the provider. */
  providerSessionTombstone(issuer: string, providerSessionId: string): RotatingKey
}

/** What the index of a user is named after: JSON, so that issuer and subject cannot run into each other. */
export function subjectText(issuer: string, subject: string): string {
  return JSON.stringify(['sub', issuer, subject])
}

/** Makes the keys of one frontend's indexes: its sealer's HMACs beneath its own names in the store. */
export function createIndexKeys(sealer: Pick<Sealer, 'hmacAll'>, keys: StoreKeys): IndexKeys {
  const rotating = (toKey: (mac: string) => string, text: string): RotatingKey => {
    const all = sealer.hmacAll('index', text).map(toKey)
    return { current: all[0] ?? '', all }
  }
  return {
    ofSubject: (issuer, subject) => rotating(keys.bySubject, subjectText(issuer, subject)),
    ofProviderSession: (issuer, sid) =>
      rotating(keys.byProviderSession, JSON.stringify(['sid', issuer, sid])),
    subjectTombstone: (issuer, subject) =>
      rotating(keys.ended, JSON.stringify(['ended-sub', issuer, subject])),
    providerSessionTombstone: (issuer, sid) =>
      rotating(keys.ended, JSON.stringify(['ended-sid', issuer, sid])),
  }
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
export function listedSessionId(sealer: Pick<Sealer, 'hmac'>, h: string): string {
  return sealer.hmac('public-id', h)
}

/** Whether an id from a user names this session, under any secret. */
export function isListedSessionId(sealer: Pick<Sealer, 'isHmac'>, h: string, untrustedId: string): boolean {
  return sealer.isHmac('public-id', h, untrustedId)
}
