import { clockToleranceSeconds } from '../../../oidc/verification/keys/key-set.ts'
import type { Check } from '../../check.ts'
import { describeClock } from '../../clock.ts'
import { SkipCheck } from '../../finding.ts'
import { redisAnswers } from '../../probes/redis-answers.ts'

/** Our clock and Redis' agree: tombstones and redeemed logins carry its time. */
export const clockRedisCheck: Check = {
  id: 'clock.redis',
  async examine(context) {
    const { aheadMs } = await redisAnswers(context)
    if (aheadMs === undefined) throw new SkipCheck('Redis does not tell the time to our user.')
    return describeClock("Redis'", aheadMs, clockToleranceSeconds)
  },
}
