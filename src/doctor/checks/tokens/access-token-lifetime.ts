import type { Check } from '../../check.ts'
import { pass, warn } from '../../finding.ts'
import { loginReport } from '../../login/login-report.ts'

/** Shorter ones are refreshed at every other request, seconds. */
const shortSeconds = 60
/** A stolen one could be used for so long, seconds: a working day is the longest that a session lives by default. */
const longSeconds = 36_000

/** The access token lives neither too long nor too short. */
export const accessTokenLifetimeCheck: Check = {
  id: 'access-token.lifetime',
  async examine(context) {
    const { lifeSeconds } = await loginReport(context)
    const life = `The access token lives ${describe(lifeSeconds)}`
    if (lifeSeconds < shortSeconds)
      return warn(`${life}: it is refreshed all the time.`, 'Give it some minutes at the provider.')
    if (lifeSeconds > longSeconds)
      return warn(
        `${life}: rights that are taken away, and tokens that are stolen, work for so long.`,
        'Give it an hour or less at the provider; Coatcheck refreshes it.',
      )
    return pass(`${life}, and is refreshed before that.`)
  },
}

function describe(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}
