import { signatureAlgorithms } from '../../../config/settings/kinds/algorithm.ts'
import { allowedAlgorithms } from '../../../oidc/provider/algorithms.ts'
import { describeTransportError } from '../../../oidc/provider/failures/provider-error.ts'
import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import { describeFailure } from '../../probes/reach.ts'
import { fetchJson, listOf, type Metadata, textOf } from '../../provider/discovery.ts'
import { keyFault } from '../../provider/published-key.ts'

const safe: readonly string[] = signatureAlgorithms

/** ID tokens are signed with a public key that can be had. */
export const discoveryKeysCheck: Check = {
  id: 'discovery.keys',
  async examine(context) {
    const metadata = await context.metadata()
    const { idTokenAlgorithm: configured } = context.config
    // Discovery section 3 demands RS256 of everybody.
    const announced = listOf(metadata, 'id_token_signing_alg_values_supported') ?? configured ?? ['RS256']
    const usable = announced.filter((name) => safe.includes(name))
    if (usable.length === 0) {
      return fail(
        `The provider signs ID tokens only with ${announced.join(', ')}, which anybody who knows the client secret could do too.`,
        'Let it sign the ID tokens of this client with RS256, PS256 or ES256.',
      )
    }
    const taken = usable.filter((name) => allowedAlgorithms(configured, {}).includes(name))
    if (taken.length === 0) {
      return fail(
        `The provider signs ID tokens with ${usable.join(', ')}; the settings (ID_TOKEN_ALGORITHM, or SECURITY_PROFILE) take ${configured?.join(', ')} alone.`,
        'Let it sign the ID tokens of this client with one of these, or add its own to ID_TOKEN_ALGORITHM where no profile forbids it.',
      )
    }
    return describeKeys(await findKeys(metadata, context, allowedAlgorithms(taken, {})), taken, context)
  },
}

/** What was found at the `jwks_uri`. */
interface FoundKeys {
  readonly usable: number
  /** Why the others are of no use. */
  readonly faults: readonly string[]
}

async function findKeys(
  metadata: Metadata,
  { config }: DoctorContext,
  algorithms: readonly string[],
): Promise<FoundKeys | string> {
  const url = URL.parse(textOf(metadata, 'jwks_uri') ?? '')
  if (url === null) return 'it announces no jwks_uri'
  try {
    const { document } = await fetchJson(url, config)
    const keys: readonly unknown[] = Array.isArray(document?.keys) ? document.keys : []
    const faults = keys.map((key) => keyFault(key, algorithms)).filter((fault) => fault !== undefined)
    return { usable: keys.length - faults.length, faults }
  } catch (error) {
    return describeFailure(describeTransportError(error))
  }
}

const unreachableFix = 'See whether its jwks_uri can be opened from this machine.'
const uselessFix =
  'Let it publish the key with which it signs: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519, for signatures (use=sig) of an algorithm that it announces.'

function describeKeys(
  found: FoundKeys | string,
  algorithms: readonly string[],
  { hints: { lateKeys } }: DoctorContext,
): Finding {
  if (typeof found === 'string') return fail(`The provider's keys cannot be had: ${found}.`, unreachableFix)
  const reasons = [...new Set(found.faults)].join(', ')
  if (found.usable === 0) {
    const because = reasons === '' ? '' : ` (${reasons})`
    const summary = `The provider publishes no key that could verify an ID token${because}.`
    return lateKeys === undefined ? fail(summary, uselessFix) : warn(summary, lateKeys)
  }
  const others = reasons === '' ? '' : `; of no use are ${found.faults.length} (${reasons})`
  return pass(`ID tokens are signed with ${algorithms.join(', ')}; published keys: ${found.usable}${others}.`)
}
