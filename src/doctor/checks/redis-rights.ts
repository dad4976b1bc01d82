import type { Check } from '../check.ts'
import { fail, pass, warn } from '../finding.ts'
import { redisAnswers } from '../redis-answers.ts'

/** Our Redis user may do all that the gateway does. */
export const redisRightsCheck: Check = {
  id: 'redis.rights',
  async examine(context) {
    const { denied } = await redisAnswers(context)
    const needed = denied.filter(({ isOptional }) => !isOptional).map(({ rule }) => rule)
    if (needed.length > 0)
      return fail(`Our Redis user may not do what the gateway needs: ${needed.join(' ')}.`, grant(needed))
    const optional = denied.map(({ rule }) => rule)
    return optional.length === 0
      ? pass('Our Redis user may do all that the gateway does.')
      : warn(
          `Our Redis user may not do what makes the gateway fast and watchful: ${optional.join(' ')}. Sessions are not cached without it.`,
          grant(optional),
        )
  },
}

function grant(rules: readonly string[]): string {
  return `ACL SETUSER <our user> ${rules.join(' ')}`
}
