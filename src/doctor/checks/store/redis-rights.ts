import type { DeniedCommand } from '../../../session/store/redis/diagnosis/rights.ts'
import type { Check } from '../../check.ts'
import { fail, pass, warn } from '../../finding.ts'
import { redisAnswers } from '../../probes/redis-answers.ts'

/** Our Redis user may do all that the gateway does. */
export const redisRightsCheck: Check = {
  id: 'redis.rights',
  async examine(context) {
    const { servers } = await redisAnswers(context)
    // Each server of a Cluster has its own list of users.
    const denied = servers.flatMap((server) => server.denied)
    const needed = rulesOf(denied.filter(({ isOptional }) => !isOptional))
    if (needed.length > 0)
      return fail(`Our Redis user may not do what the gateway needs: ${needed.join(' ')}.`, grant(needed))
    const optional = rulesOf(denied)
    if (optional.length === 0) return pass('Our Redis user may do all that the gateway does.')
    const losses = new Set(optional.map((rule) => lossOf[rule] ?? feedLoss))
    return warn(`Our Redis user lacks ${optional.join(' ')}: ${[...losses].join('; ')}.`, grant(optional))
  },
}

/** All others of the optional ones are for the feed of changes. */
const feedLoss = 'sessions are not cached, which makes the gateway slower'
const lossOf: Readonly<Record<string, string>> = {
  '+info': 'nobody notices when Redis evicts sessions',
  '+scan': 'coatcheck sessions cannot list any',
}

/** Each once. */
function rulesOf(denied: readonly DeniedCommand[]): readonly string[] {
  return [...new Set(denied.map(({ rule }) => rule))]
}

function grant(rules: readonly string[]): string {
  return `ACL SETUSER <our user> ${rules.join(' ')}`
}
