import { textOf } from '../../basics/text.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { SessionView } from '../../session/record/session.ts'
import type { StepUps } from './step-up.ts'

/**
 * A refresh that the provider wants the user for first, with the way to a login that can satisfy it; every other failure as it is.
 */
export function withWayToLogin(
  stepUps: Pick<StepUps, 'required'>,
  session: SessionView,
  error: unknown,
): unknown {
  if (!(error instanceof GatewayError) || error.code !== 'step_up_required') return error
  if (error.extensions.loginUrl !== undefined) return error
  const demand = { claims: textOf(error.context.claims) }
  return stepUps.required(session, demand, { isSealed: true, context: error.context })
}
