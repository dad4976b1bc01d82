import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type InFlight, InFlightRequests } from '../../../src/proxy/exchange/in-flight.ts'

/** A request that notes when it is asked, and then does what a test wants. */
function request(asked: InFlight[], then: (self: InFlight) => void = () => undefined): InFlight {
  const self: InFlight = {
    place: -1,
    checkSilence: () => {
      asked.push(self)
      then(self)
    },
  }
  return self
}

describe('the requests under way', () => {
  it('are exactly those that entered and did not leave, each asked once, in whatever order they leave', () => {
    const moves = fc.array(fc.record({ enters: fc.boolean(), which: fc.nat(20) }), { maxLength: 60 })
    fc.assert(
      fc.property(moves, (schedule) => {
        const asked: InFlight[] = []
        const list = new InFlightRequests(10)
        const all = Array.from({ length: 21 }, () => request(asked))
        const expected = new Set<InFlight>()
        for (const { enters, which } of schedule) {
          const one = all[which]
          if (one === undefined || (enters && expected.has(one))) continue
          if (!enters) {
            list.leave(one)
            expected.delete(one)
          } else if (list.enter(one)) expected.add(one)
          else expect(expected.size).toBe(10)
        }
        list.checkSilence(1)
        expect(asked).toHaveLength(expected.size)
        expect(new Set(asked)).toEqual(expected)
      }),
    )
  })

  it('are all asked even when some leave while they are', () => {
    const asked: InFlight[] = []
    const list = new InFlightRequests(4)
    const gone = request(asked, (self) => list.leave(self))
    const all = [request(asked), gone, request(asked), request(asked)]
    for (const one of all) list.enter(one)
    list.checkSilence(1)
    expect(new Set(asked)).toEqual(new Set(all))
    asked.length = 0
    list.checkSilence(2)
    expect(asked).not.toContain(gone)
    expect(asked).toHaveLength(3)
  })
})
