import { authorityOf } from '../../../config/settings/kinds/address.ts'
import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass } from '../../finding.ts'
import type { Front } from '../../front/front.ts'
import { describeFailure, isCertificateFault } from '../../probes/reach.ts'

/** `BASE_URL` leads to this gateway. */
export const baseUrlCheck: Check = {
  id: 'base-url',
  examine: async (context) => describe(await context.front(), context.config),
}

function describe(front: Front, config: DoctorContext['config']): Finding {
  const { origin } = config.baseUrl
  switch (front.kind) {
    case 'arrived':
      return pass(`${origin} leads to ${authorityOf(config)}.`)
    case 'gateway':
      return pass(`${origin} leads to a running gateway.`)
    case 'unreachable':
      return fail(
        `${origin} cannot be reached: ${describeFailure(front.code)}.`,
        unreachableFix(front, config),
      )
    case 'stranger':
      return fail(`${origin} answers ${front.status}, but not from a gateway.`, strangerFix(front, config))
  }
}

function strangerFix(
  { status, isPortOurs }: Front & { readonly kind: 'stranger' },
  config: DoctorContext['config'],
): string {
  const place = authorityOf(config)
  if (!isPortOurs)
    return `Another program holds ${place}: stop it, or change PORT. Then let the proxy in front pass everything there.`
  const advice = `Let the proxy in front pass everything to ${place}.`
  return noServerStatuses.has(status)
    ? `${advice} One that checks health sends nobody to a gateway that is stopped: start the gateway, and run doctor again.`
    : advice
}

/** What a proxy answers that knows of no server to pass a request to. */
const noServerStatuses: ReadonlySet<number> = new Set([502, 503, 504])

function unreachableFix(
  front: Front & { readonly kind: 'unreachable' },
  config: DoctorContext['config'],
): string {
  if (isCertificateFault(front.code))
    return 'Give the proxy in front a certificate for this name, with its intermediate ones; for an authority of your own set NODE_EXTRA_CA_CERTS here.'
  return front.isPortOurs
    ? `Correct BASE_URL, or start the proxy in front and let it pass everything to ${authorityOf(config)}.`
    : `Correct BASE_URL, or start the proxy in front; another program holds ${authorityOf(config)}.`
}
