import {
  isSupported,
  leastVersionText,
  oldestOf,
  readVersion,
  type ServerVersion,
} from '../../../session/store/redis/diagnosis/version.ts'
import type { Check } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import { plainText } from '../../plain-text.ts'
import { expectTold, redisAnswers } from '../../probes/redis-answers.ts'

/** Older ones get no more corrections. */
const maintainedMajor = 7

/** Redis is new enough. */
export const redisVersionCheck: Check = {
  id: 'redis.version',
  async examine(context) {
    const { servers } = await redisAnswers(context)
    const versions = servers.map(({ server }) => readVersion(server))
    const found = oldestOf(versions)
    const name = found === undefined ? '' : `${found.name} ${plainText(found.version)}`
    const fault = found === undefined ? undefined : judge(found, name)
    if (fault !== undefined) return fault
    expectTold(versions, 'its version')
    return pass(`The server is ${name}.`)
  },
}

function judge(found: ServerVersion, name: string): Finding | undefined {
  const fix = 'Use Redis 7 or newer, or Valkey.'
  if (!isSupported(found)) return fail(`${name} is too old: ${leastVersionText} is the least.`, fix)
  if (Number.parseInt(found.version, 10) < maintainedMajor)
    return warn(`${name} is no longer maintained.`, fix)
  return undefined
}
