import { clockToleranceSeconds } from '../../../oidc/verification/keys/key-set.ts'
import type { Check } from '../../check.ts'
import { describeClock } from '../../clock.ts'
import { expectTold, redisAnswers } from '../../probes/redis-answers.ts'

/** Our clock and Redis' agree: tombstones and redeemed logins carry its time. */
export const clockRedisCheck: Check = {
  id: 'clock.redis',
  async examine(context) {
    const { servers } = await redisAnswers(context)
    const clocks = servers.map(({ aheadMs }) => aheadMs)
    const finding = describeClock("Redis'", furthestOf(clocks), clockToleranceSeconds)
    if (finding.status === 'pass') expectTold(clocks, 'the time')
    return finding
  },
}

/** What is furthest from zero; each server of a Cluster has a clock. */
function furthestOf(clocks: readonly (number | undefined)[]): number {
  const told = clocks.filter((aheadMs) => aheadMs !== undefined)
  return told.toSorted((one, other) => Math.abs(other) - Math.abs(one))[0] ?? 0
}
