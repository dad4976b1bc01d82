import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Call, InFlightCalls } from '../../../src/proxy/calls/in-flight.ts'
import { callOf } from '../support/calls.ts'

/** A request that notes when it is asked, and then does what a test wants. */
function request(asked: Call[], then: (self: Call) => void = () => undefined): Call {
  const self: Call = callOf({
    checkSilence: () => {
      asked.push(self)
      then(self)
    },
  })
  return self
}

describe('the requests under way', () => {
  it('are exactly those that entered and did not leave, each asked once, in whatever order they leave', () => {
    const moves = fc.array(fc.record({ enters: fc.boolean(), which: fc.nat(20) }), { maxLength: 60 })
    fc.assert(
      fc.property(moves, (schedule) => {
        const asked: Call[] = []
        const list = new InFlightCalls({ maxInFlight: 10, maxInFlightPerSession: 10 })
        const all = Array.from({ length: 21 }, () => request(asked))
        const expected = new Set<Call>()
        for (const { enters, which } of schedule) {
          const one = all[which]
          if (one === undefined || (enters && expected.has(one))) continue
          if (!enters) {
            list.leave(one)
            expected.delete(one)
          } else if (list.enter(one) === undefined) expected.add(one)
          else expect(expected.size).toBe(10)
        }
        list.visit((one) => one.checkSilence(1))
        expect(asked).toHaveLength(expected.size)
        expect(new Set(asked)).toEqual(expected)
      }),
    )
  })

  it('are all asked even when some leave while they are', () => {
    const asked: Call[] = []
    const list = new InFlightCalls({ maxInFlight: 4, maxInFlightPerSession: 4 })
    const gone = request(asked, (self) => list.leave(self))
    const all = [request(asked), gone, request(asked), request(asked)]
    for (const one of all) list.enter(one)
    list.visit((one) => one.checkSilence(1))
    expect(new Set(asked)).toEqual(new Set(all))
    asked.length = 0
    list.visit((one) => one.checkSilence(2))
    expect(asked).not.toContain(gone)
    expect(asked).toHaveLength(3)
  })

  it('are at most a share of one owner, however they come and go; those of nobody count for nobody', () => {
    const moves = fc.array(fc.record({ enters: fc.boolean(), which: fc.nat(20) }), { maxLength: 80 })
    fc.assert(
      fc.property(moves, (schedule) => {
        const list = new InFlightCalls({ maxInFlight: 12, maxInFlightPerSession: 3 })
        const owners = ['a', 'b', undefined]
        const all = Array.from({ length: 21 }, (_, at) => callOf({ owner: owners[at % 3] }))
        const inside = new Set<Call>()
        for (const { enters, which } of schedule) {
          const one = all[which]
          if (one === undefined || (enters && inside.has(one))) continue
          if (!enters) {
            list.leave(one)
            inside.delete(one)
            continue
          }
          const held = [...inside].filter(({ owner }) => owner === one.owner).length
          const expected =
            one.owner !== undefined && held >= 3 ? 'share' : inside.size >= 12 ? 'full' : undefined
          expect(list.enter(one)).toBe(expected)
          if (expected === undefined) inside.add(one)
        }
        expect(list.size).toBe(inside.size)
      }),
    )
  })
})
