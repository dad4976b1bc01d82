import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import { forgedAddress } from '../../front/browser-request.ts'
import { type Forwarding, readForwarding } from '../../front/forwarded.ts'
import { plainText } from '../../plain-text.ts'
import { arrivedFront } from '../../probes/front-answers.ts'

const appendFix =
  'Let the proxy in front append the address of its client (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for).'

/** `TRUST_PROXY` names what stands in front, and that tells who the client is. */
export const proxyTrustCheck: Check = {
  id: 'proxy.trust',
  async examine(context) {
    const { arrival } = await arrivedFront(context)
    const { trustProxy, baseUrl } = context.config
    const forwarding = readForwarding(arrival, forgedAddress, trustProxy, baseUrl.protocol === 'https:')
    return forwarding.isProxied
      ? describeProxied(forwarding, arrival.peer, context.config)
      : describeDirect(forwarding, arrival.peer)
  },
}

function describeDirect({ isPeerTrusted }: Forwarding, peer: string): Finding {
  return isPeerTrusted
    ? warn(
        `Nothing stands in front, but TRUST_PROXY trusts ${peer}: whoever connects from there can claim any address.`,
        'TRUST_PROXY=none',
      )
    : pass('Nothing stands in front, and no X-Forwarded-For is believed.')
}

function describeProxied(forwarding: Forwarding, peer: string, config: DoctorContext['config']): Finding {
  const { isPeerTrusted, clientAddress, untrustedProtocol } = forwarding
  if (!isPeerTrusted) {
    const summary = `Requests come from the proxy ${peer}, which TRUST_PROXY does not name: all users seem to have its address`
    return config.rateLimit
      ? fail(`${summary}, and are rate-limited as one.`, `TRUST_PROXY=${peer}`)
      : warn(`${summary} in logs.`, `TRUST_PROXY=${peer}`)
  }
  if (clientAddress === 'unchanged')
    return fail(
      'The proxy in front passes X-Forwarded-For of its clients unchanged: anybody can claim any address.',
      appendFix,
    )
  if (clientAddress === 'missing')
    return warn('The proxy in front sends no X-Forwarded-For: all users seem to have its address.', appendFix)
  if (untrustedProtocol !== undefined && `${untrustedProtocol}:` !== config.baseUrl.protocol)
    return warn(
      `The proxy in front says X-Forwarded-Proto: ${plainText(untrustedProtocol)}, but BASE_URL is ${config.baseUrl.protocol}//. Nothing here depends on it.`,
      'Let it say how its client reached it (nginx: proxy_set_header X-Forwarded-Proto $scheme), or correct BASE_URL.',
    )
  return pass(`The proxy ${peer} is trusted, and says who its client is.`)
}
