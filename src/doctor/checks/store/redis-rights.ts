import type { Check } from '../../check.ts'
import { fail, pass, warn } from '../../finding.ts'
import { redisAnswers } from '../../probes/redis-answers.ts'

/** Our Redis user may do all that the gateway does. */
export const redisRightsCheck: Check = {
  id: 'redis.rights',
  async examine(context) {
    const { denied } = await redisAnswers(context)
    const needed = denied.filter(({ isOptional }) => !isOptional).map(({ rule }) => rule)
    if (needed.length > 0)
      return fail(`Our Redis user may not do what the gateway needs: ${needed.join(' ')}.`, grant(needed))
    const optional = denied.map(({ rule }) => rule)
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

function grant(rules: readonly string[]): string {
  return `ACL SETUSER <our user> ${rules.join(' ')}`
}
