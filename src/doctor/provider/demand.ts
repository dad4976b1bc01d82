import type { Config } from '../../config/load-config.ts'
import { type ClientDemand, clientDemandIn } from '../../oidc/provider/failures/client-demands.ts'
import { plainText } from '../plain-text.ts'

/** Something that the provider demands of this client's requests, found in its own words. */
export interface ProviderDemand extends Pick<ClientDemand, 'what' | 'fix'> {
  /** The provider's words, bounded. */
  readonly words: string
}

/**
 * The demand that an error of the provider's is about, if it is about one.
 *
 * @param untrustedWords an error with its description, or a page
 */
export function demandIn(untrustedWords: string, config: Config): ProviderDemand | undefined {
  const demand = clientDemandIn(untrustedWords, config)
  if (demand === undefined) return undefined
  return { what: demand.what, fix: demand.fix, words: sentenceAround(demand.untrustedText, demand.index) }
}

const wordsBefore = 80
const wordsAfter = 160

function sentenceAround(text: string, index: number): string {
  const start = Math.max(0, index - wordsBefore)
  const before = text.slice(start, index).replace(/^.*[.!?:{}"]\s*/, '')
  return plainText(`${before}${text.slice(index, index + wordsAfter).replace(/[.!?{}"].*$/, '')}`)
}
