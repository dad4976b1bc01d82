import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createSealer } from '../../../src/sealing/sealer.ts'
import {
  hashOfSessionKey,
  hashSessionId,
  hashState,
  hashTokenId,
  isListedSessionId,
  isSessionId,
  leaseKey,
  listedSessionId,
  newSessionId,
  providerSessionIndexKey,
  providerSessionTombstoneKey,
  sessionKey,
  subjectIndexKey,
  subjectTombstoneKey,
} from '../../../src/session/record/keys.ts'

const secret = 'first-secret-0123456789abcdefghijklmnop'
const newSecret = 'second-secret-9876543210zyxwvutsrqponml'
const sealer = createSealer([secret])
const rotated = createSealer([newSecret, secret])

describe('session ids', () => {
  it('have 256 random bits and the form that is asked of cookies', () => {
    const ids = Array.from({ length: 100 }, newSessionId)
    expect(ids.every(isSessionId)).toBe(true)
    expect(new Set(ids).size).toBe(100)
    expect(Buffer.from(ids[0] ?? '', 'base64url')).toHaveLength(32)
  })

  it.each([
    '',
    'a'.repeat(42),
    'a'.repeat(44),
    `${'a'.repeat(42)}=`,
    `${'a'.repeat(43)}\n`,
    `é${'a'.repeat(42)}`,
  ])('do not look like %j', (untrusted) => expect(isSessionId(untrusted)).toBe(false))

  it('are known to the store by their SHA-256 only', () => {
    const id = newSessionId()
    expect(hashSessionId(id)).toBe(createHash('sha256').update(id).digest('base64url'))
  })
})

describe('keys of the store', () => {
  it('put a session and its lease into one slot of a Cluster', () => {
    expect(sessionKey('abc')).toBe('coatcheck:session:{abc}')
    expect(leaseKey('abc')).toBe('coatcheck:refresh:{abc}')
  })

  it('of a session lead back to its hash, others to nothing', () => {
    const h = hashSessionId(newSessionId())
    expect(hashOfSessionKey(sessionKey(h))).toBe(h)
    expect(hashOfSessionKey(leaseKey(h))).toBeUndefined()
    expect(hashOfSessionKey(`${sessionKey(h)}x`)).toBeUndefined()
    expect(hashOfSessionKey('coatcheck:session:{}')).toBeUndefined()
  })

  it('of user, provider session and their tombstones never meet, and hide what they stand for', () => {
    const keys = [subjectIndexKey, providerSessionIndexKey, subjectTombstoneKey, providerSessionTombstoneKey]
    const made = keys.map((key) => key(sealer, 'https://issuer.example', 'ada').current)
    expect(new Set(made.map((key) => key.split(':').at(-1))).size).toBe(4)
    expect(made.join()).not.toContain('ada')
  })

  it('do not confuse where the issuer ends and the subject begins', () => {
    const one = subjectIndexKey(sealer, 'https://issuer.example', '/ada').current
    expect(subjectIndexKey(sealer, 'https://issuer.example/', 'ada').current).not.toBe(one)
  })

  it('are written under the first secret and read under all', () => {
    const key = subjectIndexKey(rotated, 'i', 's')
    expect(key.all).toEqual([key.current, subjectIndexKey(sealer, 'i', 's').current])
    expect(key.current).toBe(subjectIndexKey(createSealer([newSecret]), 'i', 's').current)
  })
})

describe('hashes and listed ids', () => {
  it('keep states and token ids of different issuers apart', () => {
    expect(hashState('x')).not.toBe(hashTokenId('', 'x'))
    expect(hashTokenId('a', 'bc')).not.toBe(hashTokenId('ab', 'c'))
  })

  it('name a session to its user across a rotation of secrets, and are no session id', () => {
    const h = hashSessionId(newSessionId())
    const listed = listedSessionId(sealer, h)
    expect(listed).not.toBe(h)
    expect(isListedSessionId(rotated, h, listed)).toBe(true)
    expect(isListedSessionId(rotated, hashSessionId('other'), listed)).toBe(false)
  })
})
