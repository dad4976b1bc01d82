import { describe, expect, it } from 'vitest'
import { createBreaker } from '../../src/network/breaker.ts'
import { createClock } from '../session/support/sessions-world.ts'

function record(attempts: number, failures: number, sessions: number) {
  const clock = createClock()
  const breaker = createBreaker(clock.now)
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    breaker.record(`h${attempt % sessions}`, attempt < failures)
  }
  return { clock, breaker }
}

describe('the breaker', () => {
  it.each([
    ['20 failures of 20 attempts from 5 sessions', 20, 20, 5, false],
    ['16 of 20', 20, 16, 5, false],
    ['15 of 20', 20, 15, 5, true],
    ['19 of 19', 19, 19, 5, true],
    ['20 of 20 from 4 sessions', 20, 20, 4, true],
  ])('with %s', (_name, attempts, failures, sessions, allows) => {
    expect(record(attempts, failures, sessions).breaker.allows()).toBe(allows)
  })

  it('forgets attempts after 10 s', () => {
    const { clock, breaker } = record(19, 19, 5)
    clock.advance(10_000)
    breaker.record('h', true)
    expect(breaker.allows()).toBe(true)
  })

  it('lets one attempt through each second while open', () => {
    const { clock, breaker } = record(20, 20, 5)
    clock.advance(999)
    expect(breaker.allows()).toBe(false)
    clock.advance(1)
    expect([breaker.allows(), breaker.allows()]).toEqual([true, false])
    breaker.record('h', true)
    clock.advance(1_000)
    expect([breaker.allows(), breaker.allows()]).toEqual([true, false])
  })

  it('closes when one of them is answered', () => {
    const { clock, breaker } = record(20, 20, 5)
    clock.advance(1_000)
    breaker.allows()
    breaker.record('h', false)
    expect([breaker.allows(), breaker.allows()]).toEqual([true, true])
  })
})
