import type { AccessTokenFault } from '../../../oidc/provider/provider.ts'
import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import { loginReport, type RefreshFailure, type RefreshTrial } from '../../login/login-report.ts'
import { plainText } from '../../plain-text.ts'
import { demandIn } from '../../provider/demand.ts'
import { said } from '../../provider/said.ts'

/** A refresh token came, and brings a next access token for each API. */
export const refreshTokenCheck: Check = {
  id: 'refresh-token',
  async examine(context) {
    const { refreshes, fault } = await loginReport(context)
    if (refreshes.length === 0) return describeLack(context)
    return refreshes.map((trial) => ({
      ...describeTrial(trial, fault, context),
      ...(trial.prefix === undefined ? {} : { subject: trial.prefix }),
    }))
  },
}

function describeLack({ config, hints }: DoctorContext): Finding {
  return config.scope.split(' ').includes('offline_access')
    ? fail(
        'No refresh token came although offline_access was asked for: sessions end with their first access token.',
        hints.refreshToken,
      )
    : warn(
        'No refresh token came: sessions end with their first access token.',
        hints.noRefreshToken(config.scope),
      )
}

/** @param known what is wrong with the login's own access token; the same fault of the next one is no news */
function describeTrial(
  { failure, fault, isRotated, prefix }: RefreshTrial,
  known: AccessTokenFault | undefined,
  context: DoctorContext,
): Finding {
  const { hints } = context
  if (failure !== undefined) return describeFailure(failure, context)
  if (fault === undefined || (prefix === undefined && fault.kind === known?.kind))
    return pass(
      `The refresh token brings a next access token; it is ${isRotated ? 'replaced at each use' : 'not replaced'}.`,
    )
  return fail(
    `The refresh token brings an access token that the API cannot use. ${plainText(fault.explanation)}`,
    prefix === undefined ? fault.remedy : `${severalApis(hints)} ${fault.remedy}`,
  )
}

function describeFailure({ kind, error, facts }: RefreshFailure, { config, hints }: DoctorContext): Finding {
  const words = said(facts, error)
  if (kind === 'unavailable')
    return fail(
      `The token endpoint did not answer the refresh (${words}): such a session meets 503 until it does.`,
      `Look at the provider's load, and at what stands between; PROVIDER_TIMEOUT is ${config.providerTimeout} s.`,
    )
  const demand = demandIn(words, config)
  if (demand !== undefined)
    return fail(`The token endpoint demands ${demand.what} of a refresh: it says ${words}.`, demand.fix)
  const check = facts.check === undefined ? '' : `, which fails the check ${facts.check}`
  return kind === 'invalid'
    ? fail(
        `A refresh brings an answer that is refused${check} (${words}).`,
        'Compare what the provider puts into the ID token of a refresh with that of the login.',
      )
    : fail(`The refresh token brings no access token (${words}).`, hints.refreshToken)
}

function severalApis({ name }: DoctorContext['hints']): string {
  return name === 'Auth0'
    ? 'Add this API to the Multi-Resource Refresh Token policies of the application.'
    : 'Let one refresh token be good for several APIs.'
}
