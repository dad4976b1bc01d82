import type { Check } from '../check.ts'
import { fail, pass, SkipCheck, warn } from '../finding.ts'
import { plainText } from '../plain-text.ts'
import { infoField, redisAnswers } from '../redis-answers.ts'

/** The first one with `CLIENT TRACKING`. */
const leastMajor = 6
/** Older ones get no more corrections. */
const maintainedMajor = 7

/** Redis is new enough. */
export const redisVersionCheck: Check = {
  id: 'redis.version',
  async examine(context) {
    const [server] = (await redisAnswers(context)).servers
    const valkey = infoField(server?.server ?? '', 'valkey_version')
    const version = valkey ?? infoField(server?.server ?? '', 'redis_version')
    if (version === undefined) throw new SkipCheck('Redis does not tell its version to our user.')
    const name = `${valkey === undefined ? 'Redis' : 'Valkey'} ${plainText(version)}`
    const major = Number.parseInt(version, 10)
    if (major < leastMajor) return fail(`${name} is too old.`, 'Use Redis 7 or newer, or Valkey.')
    if (major < maintainedMajor)
      return warn(`${name} is no longer maintained.`, 'Use Redis 7 or newer, or Valkey.')
    return pass(`The server is ${name}.`)
  },
}
