import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { envelopeOverheadBytes } from '../../src/sealing/envelope.ts'
import { sealPurposes } from '../../src/sealing/purposes.ts'
import { createSealer } from '../../src/sealing/sealer.ts'

const first = 'first-secret-0123456789abcdefghijklmnop'
const second = 'second-secret-9876543210zyxwvutsrqponml'
const sealer = createSealer([first])
const content = Buffer.from('the content')

const bytes = fc.uint8Array({ maxLength: 300 })

describe('the sealer', () => {
  it('opens what it sealed, for any purpose, context, holder and bytes', () => {
    const purpose = fc.constantFrom(...sealPurposes)
    fc.assert(
      fc.property(purpose, fc.string(), fc.string(), bytes, (what, context, holder, plain) => {
        expect(sealer.open(what, context, sealer.seal(what, context, plain))?.bytes).toEqual(
          Buffer.from(plain),
        )
        const held = sealer.sealFor(holder, what, context, plain)
        expect(sealer.openFor(holder, what, context, held)?.bytes).toEqual(Buffer.from(plain))
      }),
    )
  })

  it('opens nothing in which one bit was changed, or that was cut', () => {
    const sealed = sealer.seal('facts', 'context', content)
    const bit = fc.integer({ min: 0, max: sealed.length * 8 - 1 })
    fc.assert(
      fc.property(bit, fc.integer({ min: 0, max: sealed.length - 1 }), (position, length) => {
        const changed = Buffer.from(sealed)
        changed[position >> 3] = (changed[position >> 3] ?? 0) ^ (1 << (position & 7))
        expect(sealer.open('facts', 'context', changed)).toBeUndefined()
        expect(sealer.open('facts', 'context', sealed.subarray(0, length))).toBeUndefined()
      }),
    )
  })

  it('opens no garbage, and never throws for it', () => {
    fc.assert(
      fc.property(bytes, (garbage) => {
        expect(sealer.open('record', 'context', Buffer.from(garbage))).toBeUndefined()
      }),
    )
  })

  it.each(sealPurposes)('does not open as %s what was sealed for another purpose', (purpose) => {
    for (const other of sealPurposes.filter((one) => one !== purpose)) {
      expect(sealer.open(purpose, 'context', sealer.seal(other, 'context', content))).toBeUndefined()
    }
  })

  it('does not open in another context, or for another holder', () => {
    expect(sealer.open('facts', 'another', sealer.seal('facts', 'context', content))).toBeUndefined()
    const held = sealer.sealFor('holder', 'record', 'context', content)
    expect(sealer.openFor('somebody else', 'record', 'context', held)).toBeUndefined()
    expect(sealer.open('record', 'context', held)).toBeUndefined()
  })

  it('seals the same content differently each time', () => {
    const one = sealer.seal('facts', 'context', content)
    expect(sealer.seal('facts', 'context', content).equals(one)).toBe(false)
    expect(one).toHaveLength(content.length + envelopeOverheadBytes)
  })

  it('opens under every secret of the list, and says when it was not the first', () => {
    const rotated = createSealer([second, first])
    expect(rotated.open('facts', 'c', sealer.seal('facts', 'c', content))).toEqual({
      bytes: content,
      stale: true,
    })
    expect(rotated.open('facts', 'c', rotated.seal('facts', 'c', content))?.stale).toBe(false)
    expect(createSealer([second]).open('facts', 'c', sealer.seal('facts', 'c', content))).toBeUndefined()
  })

  it('seals under the first secret only', () => {
    const sealed = createSealer([second, first]).seal('facts', 'c', content)
    expect(sealer.open('facts', 'c', sealed)).toBeUndefined()
    expect(createSealer([second]).open('facts', 'c', sealed)?.bytes).toEqual(content)
  })

  it('makes HMACs that differ by purpose and secret, under the first and under all', () => {
    const rotated = createSealer([second, first])
    const old = sealer.hmac('index', 'text')
    expect(old).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(rotated.hmacAll('index', 'text')).toEqual([rotated.hmac('index', 'text'), old])
    expect(new Set([old, rotated.hmac('index', 'text'), sealer.hmac('public-id', 'text')]).size).toBe(3)
  })

  it('recognises an HMAC of any of its secrets and nothing else', () => {
    const rotated = createSealer([second, first])
    expect(rotated.isHmac('csrf-form', 'text', sealer.hmac('csrf-form', 'text'))).toBe(true)
    expect(rotated.isHmac('csrf-form', 'other', sealer.hmac('csrf-form', 'text'))).toBe(false)
    expect(sealer.isHmac('csrf-form', 'text', rotated.hmac('csrf-form', 'text'))).toBe(false)
    expect(sealer.isHmac('csrf-form', 'text', '')).toBe(false)
  })

  it('refuses to exist without a secret', () => {
    expect(() => createSealer([])).toThrow(TypeError)
  })
})
