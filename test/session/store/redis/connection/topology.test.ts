import { describe, expect, it } from 'vitest'
import { mastersOf } from '../../../../../src/session/store/redis/connection/topology.ts'

describe('what a Cluster says of its slots', () => {
  it('counts a part without a master as a feed that is not live', () => {
    const whole = [
      [0, 8_000, ['a', 1, 'id'], ['b', 2, 'id']],
      [8_001, 16_383, ['c', 3, 'id']],
    ]
    expect(mastersOf(whole)).toEqual([
      { host: 'a', port: 1 },
      { host: 'c', port: 3 },
    ])
    expect(mastersOf(whole.slice(1))).toBeUndefined()
    expect(mastersOf([[0, 16_383, ['', 1, 'id']]])).toBeUndefined()
    expect(mastersOf('garbage')).toBeUndefined()
  })
})
