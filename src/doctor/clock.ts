import { type Finding, fail, pass, warn } from './finding.ts'

/** A difference that is worth a look although nothing fails yet, seconds. */
const suspiciousSeconds = 5
const fix = 'Let the clocks be set by NTP, on this machine first.'

/**
 * Judges the difference of two clocks.
 *
 * @param whose the other clock, as the possessive in a sentence
 * @param aheadMs how much it is ahead of ours, milliseconds
 * @param toleranceSeconds what is forgiven
 */
export function describeClock(whose: string, aheadMs: number, toleranceSeconds: number): Finding {
  const seconds = Math.round(Math.abs(aheadMs) / 1_000)
  if (seconds <= suspiciousSeconds) return pass(`Our clock and ${whose} agree within ${suspiciousSeconds} s.`)
  const difference = `Our clock is ${seconds} s ${aheadMs > 0 ? 'behind' : 'ahead of'} ${whose}`
  return seconds <= toleranceSeconds
    ? warn(`${difference}; more than ${toleranceSeconds} s are not forgiven.`, fix)
    : fail(`${difference}: tokens are taken to be expired, or not valid yet.`, fix)
}
