import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BucketRules, createTokenBuckets } from '../../../src/http/limits/token-buckets.ts'

const rules: BucketRules = { burst: 10, perSecond: 2, mostKeys: 100 }

function make(more: Partial<BucketRules> = {}) {
  const clock = { nowMs: 1_800_000_000_000 }
  return { clock, buckets: createTokenBuckets({ ...rules, ...more }, () => clock.nowMs) }
}

/** Takes until there is none; returns how many there were. */
function drain(buckets: ReturnType<typeof make>['buckets'], key: string): number {
  let taken = 0
  while (buckets.take(key) === 0) taken += 1
  return taken
}

describe('a token bucket', () => {
  it('gives its burst at once, then says how long until the next token', () => {
    const { buckets } = make()
    expect(drain(buckets, 'a')).toBe(10)
    expect(buckets.take('a')).toBe(500)
    expect(buckets.wait('a')).toBe(500)
  })

  it('has a token exactly when it said it would', () => {
    const { buckets, clock } = make()
    drain(buckets, 'a')
    clock.nowMs += 499
    expect(buckets.take('a')).toBe(1)
    clock.nowMs += 1
    expect(buckets.take('a')).toBe(0)
    expect(buckets.take('a')).toBe(500)
  })

  it('leaves other keys alone', () => {
    const { buckets } = make()
    drain(buckets, 'a')
    expect(drain(buckets, 'b')).toBe(10)
  })

  it('punishes nobody for a clock that was set back', () => {
    const { buckets, clock } = make()
    drain(buckets, 'a')
    clock.nowMs -= 3_600_000
    expect(buckets.wait('a')).toBeLessThanOrEqual(500)
  })

  it('never gives more than burst and refill allow, nor less when asked patiently', () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(3_000), tries: fc.nat(20) }), { maxLength: 60 })
    fc.assert(
      fc.property(steps, (taken) => {
        const { buckets, clock } = make()
        const startMs = clock.nowMs
        let given = 0
        let tokens = rules.burst
        for (const { waitMs, tries } of taken) {
          clock.nowMs += waitMs
          tokens = Math.min(rules.burst, tokens + (waitMs * rules.perSecond) / 1_000)
          for (let one = 0; one < tries; one += 1) {
            const isGiven = buckets.take('a') === 0
            // A model with fractions of tokens: the same bucket, kept the other way round.
            expect(isGiven).toBe(tokens >= 1 - 1e-6)
            if (!isGiven) continue
            given += 1
            tokens -= 1
          }
        }
        const most = rules.burst + ((clock.nowMs - startMs) * rules.perSecond) / 1_000
        expect(given).toBeLessThanOrEqual(most + 1e-6)
      }),
    )
  })

  it('remembers no more keys than it may: who comes again stays, who was charged longest ago goes', () => {
    const { buckets } = make()
    drain(buckets, 'victim')
    buckets.take('regular')
    for (let key = 0; key < 400; key += 1) {
      buckets.take(`flood ${key}`)
      expect(buckets.size).toBeLessThanOrEqual(rules.mostKeys)
      if (key % 50 === 0) buckets.take('regular')
    }
    expect(buckets.wait('victim')).toBe(0)
    expect(drain(buckets, 'regular')).toBe(rules.burst - 9)
  })

  it('knows whether any is empty, and forgets it in time', () => {
    const { buckets, clock } = make()
    expect(buckets.isAnyEmpty()).toBe(false)
    buckets.take('b')
    expect(buckets.isAnyEmpty()).toBe(false)
    drain(buckets, 'a')
    expect(buckets.isAnyEmpty()).toBe(true)
    clock.nowMs += 500
    expect(buckets.isAnyEmpty()).toBe(false)
    expect(buckets.take('a')).toBe(0)
    expect(buckets.isAnyEmpty()).toBe(true)
  })
})
