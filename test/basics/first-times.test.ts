import { describe, expect, it } from 'vitest'
import { createFirstTimes } from '../../src/basics/first-times.ts'

describe('first times', () => {
  it('are one for each matter and owner', () => {
    const isFirst = createFirstTimes<object, 'a' | 'b'>()
    const [one, other] = [{}, {}]
    expect([isFirst(one, 'a'), isFirst(one, 'a'), isFirst(one, 'b')]).toEqual([true, false, true])
    expect(isFirst(other, 'a')).toBe(true)
  })

  it('end with the most matters that are told apart', () => {
    const isFirst = createFirstTimes<object, string>(2)
    const owner = {}
    const heard = ['a', 'b', 'c', 'a'].map((matter) => isFirst(owner, matter))
    expect(heard).toEqual([true, true, false, false])
  })
})
