import type { Provider } from '../../oidc/provider/provider.ts'
import type { AccessToken, ApiAudience } from '../../oidc/tokens/token-set.ts'
import { isDue, isSendable } from '../../session/record/token-rules.ts'
import type { Setbacks } from '../../session/refresh/failing/setbacks.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import { tokenFailure } from './token-failure.ts'

/** Access tokens of the gateway itself: one for each API and process, got anew before it expires. */
export interface ClientTokens {
  /**
   * Synchronous while there is one that can be sent.
   * @throws GatewayError `provider_rejected`, `provider_unavailable`, `access_token_unusable`
   */
  get(api: ApiAudience): AccessToken | Promise<AccessToken>
  /** Another one than that which an API has rejected; `undefined` when it is too young for that to help. */
  renew(api: ApiAudience, rejected: AccessToken): Promise<AccessToken | undefined>
}

/** What client tokens need. */
export interface ClientTokensDependencies {
  readonly provider: Pick<Provider, 'clientToken'>
  readonly setbacks: Setbacks
  readonly log: Logger
  readonly now: () => number
}

/** An API that rejects a token younger than this rejects it for another reason than its age; milliseconds. */
export const youngMs = 30_000

interface Entry {
  readonly api: ApiAudience
  token: AccessToken | undefined
  pending: Promise<AccessToken> | undefined
}

/** Makes the gateway's own tokens. */
export function createClientTokens(dependencies: ClientTokensDependencies): ClientTokens {
  const { setbacks, now } = dependencies
  const entries = new Map<string, Entry>()
  const entryOf = (api: ApiAudience): Entry => {
    const known = entries.get(api.key)
    if (known !== undefined) return known
    const made: Entry = { api, token: undefined, pending: undefined }
    entries.set(api.key, made)
    return made
  }
  const start = (entry: Entry): Promise<AccessToken> => {
    const standing = setbacks.standing(keyOf(entry.api))
    if (standing !== undefined) return Promise.reject(standing)
    entry.pending ??= obtain(dependencies, entry).finally(() => {
      entry.pending = undefined
    })
    return entry.pending
  }
  return {
    get(api) {
      const entry = entryOf(api)
      const { token } = entry
      if (token === undefined || !isSendable(token, now())) return start(entry)
      if (isDue(token, now())) start(entry).catch(() => undefined)
      return token
    },
    async renew(api, rejected) {
      const entry = entryOf(api)
      if (entry.token !== undefined && entry.token.value !== rejected.value) return entry.token
      return now() - rejected.obtainedAtMs < youngMs ? undefined : start(entry)
    },
  }
}

function keyOf(api: ApiAudience): string {
  return `client ${api.key}`
}

async function obtain(
  { provider, setbacks, log }: ClientTokensDependencies,
  entry: Entry,
): Promise<AccessToken> {
  const { api } = entry
  const outcome = await provider.clientToken(api)
  if (outcome.kind === 'granted') {
    setbacks.clear(keyOf(api))
    entry.token = outcome.token
    return outcome.token
  }
  log.warn(
    { reason: outcome.error, outcome: outcome.kind, audience: api.key, ...outcome.facts },
    'no client token could be had',
  )
  // Nobody's rights but our own are at stake, so every refusal is the operator's to mend.
  const failure = tokenFailure(
    outcome.kind === 'interaction' ? { kind: 'rejected', error: outcome.error } : outcome,
    'provider_rejected',
  )
  throw setbacks.note(keyOf(api), { code: failure.code }, failure.pausesMs, failure.atLeastMs)
}
