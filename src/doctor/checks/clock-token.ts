import { clockToleranceSeconds } from '../../oidc/verification/keys/key-set.ts'
import type { Check } from '../check.ts'
import { describeClock } from '../clock.ts'
import { loginReport } from '../login/login-report.ts'

/** Our clock and the provider's agree, as the time in a fresh ID token (`iat`) shows, with providers too whose answers have no `Date`. */
export const clockTokenCheck: Check = {
  id: 'clock.token',
  async examine(context) {
    const { aheadMs } = await loginReport(context)
    return describeClock("the provider's (iat of the ID token)", aheadMs, clockToleranceSeconds)
  },
}
