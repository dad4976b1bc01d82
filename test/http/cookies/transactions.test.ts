import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseSurplus, createTransactions } from '../../../src/http/cookies/transactions.ts'
import { createSealer } from '../../../src/sealing/sealer.ts'

const secrets = ['first-secret-of-the-tests-long-enough', 'older-secret-of-the-tests-long-enough'] as const
const logout = { state: 'state-1', returnTo: '/bye', startedAtMs: 1_000 }
let nowMs = 1_000
const create = (secret: readonly string[], owner = 'owner') =>
  createTransactions(createSealer(secret), owner, () => nowMs)
const transactions = create([secrets[0]])

describe('a sealed transaction', () => {
  it('opens with any secret of the list, for the same owner and kind', () => {
    const sealed = create([secrets[1]]).seal('logout', logout)
    expect(create(secrets).open('logout', sealed)).toEqual(logout)
    expect(create([secrets[0]]).open('logout', sealed)).toBeUndefined()
    expect(create(secrets, 'other').open('logout', sealed)).toBeUndefined()
    expect(create(secrets).open('login', sealed)).toBeUndefined()
  })

  it('hides its content and never looks the same twice', () => {
    const [one, two] = [transactions.seal('logout', logout), transactions.seal('logout', logout)]
    expect(one).not.toBe(two)
    expect(Buffer.from(one, 'base64url').toString('latin1')).not.toContain('bye')
  })

  it('does not open after ten minutes', () => {
    const sealed = transactions.seal('logout', logout)
    nowMs = 1_000 + 599_999
    expect(transactions.open('logout', sealed)).toEqual(logout)
    nowMs = 1_000 + 600_000
    expect(transactions.open('logout', sealed)).toBeUndefined()
    nowMs = 1_000
  })

  it('does not open when anything of it was changed', () => {
    const sealed = transactions.seal('logout', logout)
    fc.assert(
      fc.property(fc.nat(sealed.length), fc.constantFrom('', 'A', '_', '=', ' ', '\n', '%'), (at, text) => {
        const changed = sealed.slice(0, at) + text + sealed.slice(at + 1)
        if (changed !== sealed) expect(transactions.open('logout', changed)).toBeUndefined()
      }),
    )
  })

  it('is not any text at all', () => {
    fc.assert(fc.property(fc.string(), (text) => transactions.open('login', text) === undefined))
  })
})

describe('the clean-up of transaction cookies', () => {
  const occupant = fc.record({
    name: fc.uuid(),
    bytes: fc.integer({ min: 0, max: 4_000 }),
    startedAtMs: fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }),
  })

  it('leaves at most 4 and 8,000 bytes with the new one, and clears no more than that takes', () => {
    fc.assert(
      fc.property(
        fc.array(occupant, { maxLength: 12 }),
        fc.integer({ min: 1, max: 3_800 }),
        (present, added) => {
          const surplus = chooseSurplus(present, added)
          const sizeWithout = (names: readonly string[]) => {
            const kept = present.filter(({ name }) => !names.includes(name))
            return { count: kept.length + 1, bytes: kept.reduce((sum, { bytes }) => sum + bytes, added) }
          }
          const fits = ({ count, bytes }: { count: number; bytes: number }) => count <= 4 && bytes <= 8_000
          expect(fits(sizeWithout(surplus))).toBe(true)
          if (surplus.length > 0) expect(fits(sizeWithout(surplus.slice(0, -1)))).toBe(false)
        },
      ),
    )
  })

  it('begins with what cannot be read and goes on with the oldest', () => {
    const present = [
      { name: 'new', bytes: 10, startedAtMs: 30 },
      { name: 'old', bytes: 10, startedAtMs: 10 },
      { name: 'broken', bytes: 10, startedAtMs: undefined },
      { name: 'middle', bytes: 10, startedAtMs: 20 },
    ]
    expect(chooseSurplus(present, 10)).toEqual(['broken'])
    expect(chooseSurplus(present, 7_980)).toEqual(['broken', 'old'])
    expect(chooseSurplus(present, 8_000)).toEqual(['broken', 'old', 'middle', 'new'])
  })
})
