import type { AccessTokenFault } from '../../oidc/provider.ts'
import type { Check, DoctorContext } from '../check.ts'
import { type Finding, fail, pass, warn } from '../finding.ts'
import { loginReport, type RefreshTrial } from '../login/login-report.ts'
import { plainText, quoted } from '../plain-text.ts'

/** A refresh token came, and brings another access token for the API. */
export const refreshTokenCheck: Check = {
  id: 'refresh-token',
  async examine(context) {
    const { refresh, fault } = await loginReport(context)
    return describe(refresh, fault, context)
  },
}

/** @param fault what is wrong with the first access token; the same fault of the next one is no news */
function describe(
  trial: RefreshTrial,
  fault: AccessTokenFault | undefined,
  { config, hints }: DoctorContext,
): Finding {
  switch (trial.kind) {
    case 'none':
      return config.scope.split(' ').includes('offline_access')
        ? fail(
            'No refresh token came although offline_access was asked for: sessions end with their first access token.',
            hints.refreshToken,
          )
        : warn(
            'No refresh token came: sessions end with their first access token.',
            `Add offline_access to SCOPE. ${hints.refreshToken}`,
          )
    case 'failed':
      return fail(`A refresh token came, but could not be used (${quoted(trial.error)}).`, hints.refreshToken)
    case 'refreshed':
      return trial.fault === undefined || trial.fault.kind === fault?.kind
        ? pass(
            `A refresh token came, and works; it is ${trial.isRotated ? 'replaced at each use' : 'not replaced'}.`,
          )
        : fail(
            `The refresh token brings an access token that the API cannot use: ${plainText(trial.fault.explanation)}`,
            trial.fault.remedy,
          )
  }
}
