import type { GatewayError } from '../../errors/gateway-error.ts'
import type { ProviderContext } from '../provider/context.ts'
import { factsIn } from '../provider/failures/refusal.ts'
import { providerHints } from '../provider/profiles/hints.ts'

/** Checks that fail when two clocks differ. */
const timeChecks: ReadonlySet<string> = new Set(['id_token.exp', 'id_token.iat', 'id_token.nbf'])

/** Says in the log what the operator can do about a login that failed: what `coatcheck doctor` would say. */
export function adviseOperator(
  { options, client, telemetry, now }: ProviderContext,
  failure: GatewayError,
): void {
  const facts = factsIn(failure.context)
  if (failure.code === 'provider_rejected') {
    const remedy = providerHints(options.issuerUrl, client.current()?.serverMetadata()).client
    telemetry.log.error(
      { reason: failure.context.reason, ...facts, remedy },
      'the identity provider refuses our client: compare CLIENT_ID, CLIENT_SECRET and CLIENT_AUTHENTICATION with its registration; coatcheck doctor checks them',
    )
  }
  if (facts.check === undefined || !timeChecks.has(facts.check)) return
  const differenceSeconds = Math.round(now() / 1_000 - Number(facts.received))
  if (!Number.isFinite(differenceSeconds)) return
  telemetry.log.error(
    { ...facts, differenceSeconds },
    'the clocks of gateway and identity provider differ: let both be set by NTP',
  )
}
