import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createSealer } from '../../../src/sealing/sealer.ts'
import {
  createIndexKeys,
  hashSessionId,
  hashState,
  hashTokenId,
  isListedSessionId,
  isSessionId,
  listedSessionId,
  newSessionId,
} from '../../../src/session/record/keys.ts'
import { createStoreKeys, readSessionKey } from '../../../src/session/store/keys.ts'

const secret = 'first-secret-0123456789abcdefghijklmnop'
const newSecret = 'second-secret-9876543210zyxwvutsrqponml'
const sealer = createSealer([secret])
const rotated = createSealer([newSecret, secret])
const keys = createStoreKeys()
const named = createStoreKeys('shop')

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
  it('put a session, its lease and what it was into one slot of a Cluster', () => {
    expect(keys.session('abc')).toBe('coatcheck:session:{abc}')
    expect(keys.lease('abc')).toBe('coatcheck:refresh:{abc}')
    expect(keys.taken('abc')).toBe('coatcheck:taken:{abc}')
  })

  it('of a named frontend have its name behind the kind, so that one prefix serves the feed of all', () => {
    expect(named.session('abc')).toBe('coatcheck:session:@shop:{abc}')
    const made = [
      named.lease('x'),
      named.taken('x'),
      named.usedState('x'),
      named.usedTokenId('x'),
      named.count('x'),
      named.bySubject('x'),
      named.byProviderSession('x'),
      named.ended('x'),
    ]
    expect(made.map((key) => key.split(':').slice(0, 3).join(':'))).toEqual(
      ['refresh', 'taken', 'used-state', 'used-jti', 'count', 'by-sub', 'by-sid', 'ended'].map(
        (kind) => `coatcheck:${kind}:@shop`,
      ),
    )
  })

  it('of a session lead back to frontend and hash, others to nothing', () => {
    const h = hashSessionId(newSessionId())
    expect(readSessionKey(keys.session(h))).toEqual({ frontend: undefined, h })
    expect(readSessionKey(named.session(h))).toEqual({ frontend: 'shop', h })
    for (const other of [
      keys.lease(h),
      `${keys.session(h)}x`,
      'coatcheck:session:{}',
      `coatcheck:session:@S:{${h}}`,
    ]) {
      expect(readSessionKey(other)).toBeUndefined()
    }
  })

  const indexKeys = createIndexKeys(sealer, keys)

  it('of user, provider session and their tombstones never meet, and hide what they stand for', () => {
    const { ofSubject, ofProviderSession, subjectTombstone, providerSessionTombstone } = indexKeys
    const makers = [ofSubject, ofProviderSession, subjectTombstone, providerSessionTombstone]
    const made = makers.map((make) => make('https://issuer.example', 'ada').current)
    expect(new Set(made.map((key) => key.split(':').at(-1))).size).toBe(4)
    expect(made.join()).not.toContain('ada')
  })

  it('do not confuse where the issuer ends and the subject begins', () => {
    const one = indexKeys.ofSubject('https://issuer.example', '/ada').current
    expect(indexKeys.ofSubject('https://issuer.example/', 'ada').current).not.toBe(one)
  })

  it('are written under the first secret and read under all', () => {
    const key = createIndexKeys(rotated, keys).ofSubject('i', 's')
    expect(key.all).toEqual([key.current, indexKeys.ofSubject('i', 's').current])
    expect(key.current).toBe(createIndexKeys(createSealer([newSecret]), keys).ofSubject('i', 's').current)
  })

  it('of two frontends with one secret share no HMAC and no seal', () => {
    const shop = createSealer([secret], 'shop')
    expect(createIndexKeys(shop, named).ofSubject('i', 's').current.split(':').at(-1)).not.toBe(
      indexKeys.ofSubject('i', 's').current.split(':').at(-1),
    )
    expect(sealer.open('facts', 'c', shop.seal('facts', 'c', Buffer.from('x')))).toBeUndefined()
    expect(isListedSessionId(sealer, 'h', listedSessionId(shop, 'h'))).toBe(false)
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
