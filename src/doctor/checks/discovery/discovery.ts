import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass } from '../../finding.ts'
import { plainText } from '../../plain-text.ts'
import { describeFailure, isCertificateFault } from '../../probes/reach.ts'
import { type Discovery, discoveryUrl, type Metadata, textOf } from '../../provider/discovery.ts'

/** The discovery document is there, and its issuer is `ISSUER_URL` to the letter (OpenID Connect Discovery 1.0 section 4.3). */
export const discoveryCheck: Check = {
  id: 'discovery',
  examine: async (context) => describe(await context.discovery(), context),
}

function describe(discovery: Discovery, { config, hints }: DoctorContext): Finding {
  const url = discoveryUrl(config.issuerUrl).href
  switch (discovery.kind) {
    case 'unreachable':
      return fail(
        `The provider cannot be reached: ${describeFailure(discovery.code)}.`,
        isCertificateFault(discovery.code)
          ? 'Give the provider a certificate for this name; for an authority of your own set PROVIDER_CA_FILE.'
          : `See whether ${url} can be opened from this machine.`,
      )
    case 'not_found':
      return fail(`There is no discovery document: ${url} answers ${discovery.status}.`, hints.issuer)
    case 'malformed':
      return fail(`${url} answers something other than a discovery document.`, hints.issuer)
    case 'found':
      return compareIssuer(discovery.metadata, config.issuerUrl)
  }
}

function compareIssuer(metadata: Metadata, configured: string): Finding {
  const found = textOf(metadata, 'issuer') ?? ''
  if (found === configured) return pass(`The provider calls itself ${configured}, as ISSUER_URL does.`)
  const isSlash = found.replace(/\/$/, '') === configured.replace(/\/$/, '')
  const what = isSlash ? 'Only the slash at the end of ISSUER_URL is wrong' : 'ISSUER_URL is wrong'
  return fail(
    `${what}: the provider calls itself ${plainText(found)}, and issuers are compared to the letter.`,
    `ISSUER_URL=${plainText(found)}`,
  )
}
