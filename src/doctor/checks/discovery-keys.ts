import { signatureAlgorithms } from '../../config/settings/kinds/algorithm.ts'
import { describeTransportError } from '../../oidc/provider/provider-error.ts'
import type { Check, DoctorContext } from '../check.ts'
import { type Finding, fail, pass } from '../finding.ts'
import { fetchJson, listOf, type Metadata, textOf } from '../provider/discovery.ts'
import { describeFailure } from '../reach.ts'

const safe: readonly string[] = signatureAlgorithms

/** ID tokens are signed with a public key that can be had. */
export const discoveryKeysCheck: Check = {
  id: 'discovery.keys',
  async examine(context) {
    const metadata = await context.metadata()
    // Discovery section 3 demands RS256 of everybody.
    const announced = listOf(metadata, 'id_token_signing_alg_values_supported') ?? ['RS256']
    const usable = announced.filter((name) => safe.includes(name))
    if (usable.length === 0) {
      return fail(
        `The provider signs ID tokens only with ${announced.join(', ')}, which anybody who knows the client secret could do too.`,
        'Let it sign the ID tokens of this client with RS256, PS256 or ES256.',
      )
    }
    return describeKeys(await countKeys(metadata, context), usable)
  },
}

async function countKeys(metadata: Metadata, { config }: DoctorContext): Promise<number | string> {
  const url = URL.parse(textOf(metadata, 'jwks_uri') ?? '')
  if (url === null) return 'it announces no jwks_uri'
  try {
    const { document } = await fetchJson(url, config)
    const keys: readonly unknown[] = Array.isArray(document?.keys) ? document.keys : []
    return keys.filter(isPublicKey).length
  } catch (error) {
    return describeFailure(describeTransportError(error))
  }
}

function isPublicKey(key: unknown): boolean {
  const type: unknown = typeof key === 'object' && key !== null ? Reflect.get(key, 'kty') : undefined
  return type === 'RSA' || type === 'EC' || type === 'OKP'
}

function describeKeys(found: number | string, algorithms: readonly string[]): Finding {
  const fix = 'See whether its jwks_uri can be opened from this machine.'
  if (typeof found === 'string') return fail(`The provider's keys cannot be had: ${found}.`, fix)
  if (found === 0) return fail('The provider publishes no key that could verify an ID token.', fix)
  return pass(`ID tokens are signed with ${algorithms.join(', ')}; published keys: ${found}.`)
}
