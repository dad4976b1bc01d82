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
    kind: fc.constantFrom('login' as const, 'logout' as const),
    startedAtMs: fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }),
  })

  const kind = fc.constantFrom('login' as const, 'logout' as const)

  it('leaves at most 4 of a kind and 8,000 bytes of both with the new one, and clears nothing without need', () => {
    fc.assert(
      fc.property(
        fc.array(occupant, { maxLength: 12 }),
        kind,
        fc.integer({ min: 1, max: 3_800 }),
        (present, ownKind, added) => {
          const surplus = chooseSurplus(present, { kind: ownKind, bytes: added })
          const fits = (names: readonly string[]): boolean => {
            const kept = present.filter(({ name }) => !names.includes(name))
            const ofKind = kept.filter((one) => one.kind === ownKind).length + 1
            return ofKind <= 4 && kept.reduce((sum, { bytes }) => sum + bytes, added) <= 8_000
          }
          expect(fits(surplus)).toBe(true)
          if (surplus.length > 0) expect(fits(surplus.slice(0, -1))).toBe(false)
        },
      ),
    )
  })

  it('takes room from the other kind for its bytes alone', () => {
    const logouts = [1, 2, 3, 4].map((at) => ({
      kind: 'logout' as const,
      name: `out-${at}`,
      bytes: 1_500,
      startedAtMs: at,
    }))
    expect(chooseSurplus(logouts, { kind: 'login', bytes: 2_000 })).toEqual([])
    expect(chooseSurplus(logouts, { kind: 'login', bytes: 2_001 })).toEqual(['out-1'])
    expect(chooseSurplus(logouts, { kind: 'logout', bytes: 10 })).toEqual(['out-1'])
  })

  it('begins with what cannot be read and goes on with the oldest', () => {
    const kind = 'login' as const
    const present = [
      { kind, name: 'new', bytes: 10, startedAtMs: 30 },
      { kind, name: 'old', bytes: 10, startedAtMs: 10 },
      { kind, name: 'broken', bytes: 10, startedAtMs: undefined },
      { kind, name: 'middle', bytes: 10, startedAtMs: 20 },
    ]
    expect(chooseSurplus(present, { kind, bytes: 10 })).toEqual(['broken'])
    expect(chooseSurplus(present, { kind, bytes: 7_980 })).toEqual(['broken', 'old'])
    expect(chooseSurplus(present, { kind, bytes: 8_000 })).toEqual(['broken', 'old', 'middle', 'new'])
  })
})
