import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSealer } from '../../../src/sealing/sealer.ts'
import { decodeFacts, decodeRecord, encodeFacts, encodeRecord } from '../../../src/session/record/codec.ts'
import { hashSessionId, newSessionId, newWriteId } from '../../../src/session/record/keys.ts'
import { readTail } from '../../../src/session/record/packed-text.ts'
import { createRecordSeal } from '../../../src/session/record/record.ts'
import type { SessionFacts, SessionRecord } from '../../../src/session/record/session.ts'
import { sampleFacts, sampleRecord } from '../support/records.ts'

const secret = 'first-secret-0123456789abcdefghijklmnop'
const newSecret = 'second-secret-9876543210zyxwvutsrqponml'
const binding = { issuer: 'https://tenant.example/', clientId: 'client' }
const seal = createRecordSeal({ sealer: createSealer([secret]), ...binding })

const id = newSessionId()
const h = hashSessionId(id)
const writeId = newWriteId()
const sealedRecord = seal.seal(id, h, writeId, sampleRecord)

/** Any text at all, lone surrogates included, and what looks like tokens. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 })
    .map((units) => String.fromCharCode(...units)),
  fc
    .array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 5 })
    .map((segments) => segments.map((segment) => Buffer.from(segment).toString('base64url')).join('.')),
  fc.stringMatching(/^[A-Za-z0-9_.=-]{0,20}$/),
)
const time = fc.integer({ min: 0, max: 4e12 })
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined })

const record: fc.Arbitrary<SessionRecord> = fc.record({
  createdAtMs: time,
  endsAtMs: time,
  browserFamily: text,
  identity: fc.record({
    issuer: text,
    subject: text,
    providerSessionId: optional(text),
    loginIssuedAtSeconds: time,
    authTimeSeconds: optional(time),
    acr: optional(text),
    claims: fc.dictionary(text, fc.oneof(text, time, fc.boolean(), fc.array(text))),
  }),
  tokens: fc.record({
    idToken: text,
    refreshToken: optional(text),
    access: fc.dictionary(text, fc.record({ value: text, obtainedAtMs: time, expiresAtMs: time })),
  }),
})

const facts: fc.Arbitrary<SessionFacts> = fc.record({
  createdAtMs: time,
  endsAtMs: time,
  browserFamily: text,
  subjectIndex: text,
  providerSessionIndex: optional(text),
  isDeviceBound: fc.boolean(),
})

describe('the record format', () => {
  it('gives back every record and all facts unchanged', () => {
    fc.assert(
      fc.property(record, facts, (oneRecord, oneFacts) => {
        expect(decodeRecord(encodeRecord(oneRecord))).toEqual(oneRecord)
        expect(decodeFacts(encodeFacts(oneFacts))).toEqual(oneFacts)
      }),
    )
  })

  it('keeps tokens at three quarters of their length', () => {
    const tokens = sampleRecord.tokens.idToken.length * 2
    expect(encodeRecord(sampleRecord).length).toBeLessThan(tokens * 0.75 + 500)
  })

  it('reads nothing from bytes that were cut, prolonged or changed into something else', () => {
    const bytes = encodeRecord(sampleRecord)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (length) => {
        expect(decodeRecord(bytes.subarray(0, length))).toBeUndefined()
      }),
    )
    expect(decodeRecord(Buffer.concat([bytes, Buffer.of(0)]))).toBeUndefined()
    fc.assert(
      fc.property(fc.uint8Array(), (garbage) => {
        expect(decodeRecord(Buffer.from(garbage))).toBeUndefined()
      }),
    )
  })

  it.each([
    ['created', 'now'],
    ['ends', null],
    ['browser', 7],
    ['iss', undefined],
    ['sub', 5],
    ['sid', 5],
    ['iat', '1'],
    ['auth', '1'],
    ['acr', []],
    ['claims', []],
    ['id', { length: 1 }],
    ['id', [-1]],
    ['refresh', [0.5]],
    ['access', {}],
    ['access', [['default', 'token', 1]]],
    ['access', [['default', 'token', 1, '2']]],
  ])('reads nothing when %s is %j', (member, value) => {
    const plain = {
      created: 1,
      ends: 2,
      browser: 'b',
      iss: 'i',
      sub: 's',
      iat: 3,
      claims: {},
      id: 't',
      access: [],
    }
    const encode = (members: object): Buffer => {
      const json = Buffer.from(JSON.stringify(members))
      const length = Buffer.alloc(4)
      length.writeUInt32BE(json.length)
      return Buffer.concat([length, json])
    }
    expect(decodeRecord(encode(plain))).toBeDefined()
    expect(decodeRecord(encode({ ...plain, [member]: value }))).toBeUndefined()
  })
})

describe('a packed text', () => {
  it.each([[[-1]], [[4]], [[2, 2]], [[1.5]], [['1']], [[]], [7], [null], [undefined]])(
    'cannot be %j when three bytes are left',
    (packed) => expect(readTail(Buffer.alloc(3)).text(packed)).toBeUndefined(),
  )
})

describe('a sealed record', () => {
  it('opens with its id, hash and write id', () => {
    expect(seal.open(id, h, { sealedRecord, writeId })).toEqual({
      kind: 'record',
      record: sampleRecord,
      stale: false,
    })
    expect(seal.openFacts(h, seal.sealFacts(h, sampleFacts))).toEqual(sampleFacts)
  })

  it('is no session under another id, another key of the store or another write id', () => {
    const other = newSessionId()
    const none = { kind: 'none' }
    expect(seal.open(other, h, { sealedRecord, writeId })).toEqual(none)
    expect(seal.open(id, hashSessionId(other), { sealedRecord, writeId })).toEqual(none)
    expect(seal.open(id, h, { sealedRecord, writeId: newWriteId() })).toEqual(none)
    expect(seal.openFacts(hashSessionId(other), seal.sealFacts(h, sampleFacts))).toBeUndefined()
  })

  it.each([
    ['issuer', { ...binding, issuer: 'https://tenant.example' }],
    ['client', { ...binding, clientId: 'another' }],
  ])('of another %s is no session', (_what, foreign) => {
    const other = createRecordSeal({ sealer: createSealer([secret]), ...foreign })
    expect(other.open(id, h, { sealedRecord, writeId })).toEqual({ kind: 'none' })
    expect(other.openFacts(h, seal.sealFacts(h, sampleFacts))).toBeUndefined()
  })

  it('under an older secret opens as stale; without that secret it is no session', () => {
    const rotated = createRecordSeal({ sealer: createSealer([newSecret, secret]), ...binding })
    expect(rotated.open(id, h, { sealedRecord, writeId })).toMatchObject({ kind: 'record', stale: true })
    const removed = createRecordSeal({ sealer: createSealer([newSecret]), ...binding })
    expect(removed.open(id, h, { sealedRecord, writeId })).toEqual({ kind: 'none' })
  })

  it('of a newer format is told apart from a broken one', () => {
    const withFormat = (format: number): Buffer =>
      Buffer.concat([Buffer.of(format), sealedRecord.subarray(1)])
    expect(seal.open(id, h, { sealedRecord: withFormat(3), writeId })).toEqual({ kind: 'newer' })
    expect(seal.open(id, h, { sealedRecord: withFormat(0), writeId })).toEqual({ kind: 'none' })
    expect(seal.open(id, h, { sealedRecord: Buffer.alloc(0), writeId })).toEqual({ kind: 'none' })
  })

  it('shows nothing of its content, and opens with neither the cookie nor the secret alone', () => {
    const shown = sealedRecord.toString('latin1')
    expect(shown).not.toContain('auth0')
    expect(shown).not.toContain('ada@example')
    expect(createSealer([secret]).open('record', '', sealedRecord.subarray(1))).toBeUndefined()
  })
})

describe('format 2', () => {
  const privateJwk = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }
  const token = sampleRecord.tokens.access.default
  const full: SessionRecord = {
    ...sampleRecord,
    tokens: {
      ...sampleRecord.tokens,
      binding: { kind: 'dpop', privateJwk },
      access:
        token === undefined ? {} : { default: { ...token, claims: { scope: 'a b' }, boundTo: 'thumbprint' } },
    },
    device: { offeredAtMs: 1, publicJwk: { kty: 'EC' }, isEnforced: true },
    lastDemand: 'acr=gold',
  }
  const parts: readonly (readonly [string, SessionRecord])[] = [
    [
      'a binding to a key',
      { ...sampleRecord, tokens: { ...sampleRecord.tokens, binding: { kind: 'dpop', privateJwk } } },
    ],
    [
      'a binding to a certificate',
      {
        ...sampleRecord,
        tokens: { ...sampleRecord.tokens, binding: { kind: 'mtls', certificateThumbprint: 't' } },
      },
    ],
    ['verified claims', { ...sampleRecord, tokens: full.tokens }],
    ['a device', { ...sampleRecord, device: { offeredAtMs: 1, isEnforced: false } }],
    ['a demand', { ...sampleRecord, lastDemand: 'acr=gold' }],
    ['all of them', full],
  ]

  it.each(parts)('is written for %s, and read', (_name, record) => {
    const sealedRecord = seal.seal(id, h, writeId, record)
    expect(sealedRecord[0]).toBe(2)
    expect(seal.open(id, h, { sealedRecord, writeId })).toEqual({ kind: 'record', record, stale: false })
  })

  it('is not written for a record that has none of it: nodes of the first version read that', () => {
    expect(seal.seal(id, h, writeId, sampleRecord)[0]).toBe(1)
  })

  it.each([
    { bound: { kind: 'dpop' } },
    { bound: { kind: 'other', privateJwk } },
    { bound: 1 },
    { device: { offeredAtMs: 'x', isEnforced: true } },
    { device: { offeredAtMs: 1 } },
    { device: [] },
    { demand: 1 },
  ])('with a part of another type is no record: %j', (part) => {
    const bytes = encodeRecord(sampleRecord)
    const end = 4 + bytes.readUInt32BE(0)
    const json = Buffer.from(JSON.stringify({ ...JSON.parse(bytes.toString('utf8', 4, end)), ...part }))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(json.length)
    expect(decodeRecord(Buffer.concat([length, json, bytes.subarray(end)]))).toBeUndefined()
  })
})
