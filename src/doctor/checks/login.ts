import type { Check } from '../check.ts'
import { pass } from '../finding.ts'

/** One real login comes to pass. */
export const loginCheck: Check = {
  id: 'login',
  async examine({ login }) {
    const outcome = await login()
    return 'finding' in outcome
      ? outcome.finding
      : pass('The login came to pass, and the ID token is in order.')
  },
}
