import { clockToleranceSeconds } from '../../oidc/verification/keys/key-set.ts'
import type { Check } from '../check.ts'
import { describeClock } from '../clock.ts'
import { SkipCheck } from '../finding.ts'

/** Our clock and the provider's agree, as its answers' `Date` shows. */
export const clockProviderCheck: Check = {
  id: 'clock.provider',
  async examine({ discovery }) {
    const found = await discovery()
    if (found.kind !== 'found') throw new SkipCheck('The provider was not discovered.')
    if (found.aheadMs === undefined)
      throw new SkipCheck(
        'The provider does not tell the time (no Date header); coatcheck doctor --login reads it from a token.',
      )
    return describeClock("the provider's", found.aheadMs, clockToleranceSeconds)
  },
}
