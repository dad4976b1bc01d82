import type { RefusalFacts } from '../../oidc/provider/failures/refusal.ts'
import { quoted } from '../plain-text.ts'

/**
 * The provider's own words, in quotation marks.
 *
 * @param otherwise what stands there when it has said nothing
 */
export function said({ providerError, providerErrorDescription }: RefusalFacts, otherwise: unknown): string {
  if (providerError === undefined) return quoted(otherwise)
  const description = providerErrorDescription === undefined ? '' : `, ${quoted(providerErrorDescription)}`
  return `${quoted(providerError)}${description}`
}
