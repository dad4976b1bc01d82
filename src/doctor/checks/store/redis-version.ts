import { isSupported, leastFit, leastVersionText } from '../../../session/store/redis/diagnosis/version.ts'
import type { Check } from '../../check.ts'
import { fail, pass, SkipCheck, warn } from '../../finding.ts'
import { plainText } from '../../plain-text.ts'
import { redisAnswers } from '../../probes/redis-answers.ts'

/** Older ones get no more corrections. */
const maintainedMajor = 7

/** Redis is new enough. */
export const redisVersionCheck: Check = {
  id: 'redis.version',
  async examine(context) {
    const { servers } = await redisAnswers(context)
    const found = leastFit(servers.map(({ server }) => server))
    if (found === undefined) throw new SkipCheck('Redis does not tell its version to our user.')
    const name = `${found.name} ${plainText(found.version)}`
    const fix = 'Use Redis 7 or newer, or Valkey.'
    if (!isSupported(found)) return fail(`${name} is too old: ${leastVersionText} is the least.`, fix)
    if (Number.parseInt(found.version, 10) < maintainedMajor)
      return warn(`${name} is no longer maintained.`, fix)
    return pass(`The server is ${name}.`)
  },
}
