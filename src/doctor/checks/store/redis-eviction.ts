import { mayEvict } from '../../../session/store/redis/diagnosis/eviction.ts'
import type { Check } from '../../check.ts'
import { fail, pass } from '../../finding.ts'
import { plainText } from '../../plain-text.ts'
import { expectTold, infoField, redisAnswers } from '../../probes/redis-answers.ts'

/** Redis throws no session away when its memory is short. */
export const redisEvictionCheck: Check = {
  id: 'redis.eviction',
  async examine(context) {
    const { servers } = await redisAnswers(context)
    const told = servers.map(({ memory }) => memory)
    const evicting = told.find(mayEvict)
    if (evicting === undefined) {
      expectTold(told, 'about its memory')
      return pass('Redis evicts nothing when its memory is short.')
    }
    const policy = plainText(infoField(evicting, 'maxmemory_policy'))
    return fail(
      `Redis evicts when its memory is short (maxmemory-policy ${policy}): people are signed out, and ended sessions could come back.`,
      'Set maxmemory-policy to noeviction, in a Redis that no cache shares.',
    )
  },
}
