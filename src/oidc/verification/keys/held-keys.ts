import type { OidcClient } from '../../provider/client.ts'
import { createFetchBudget, type FetchBudget } from './fetch-budget.ts'
import { type KeySet, loadKeys, unavailable } from './key-set.ts'
import { isAnybodys, type KeyUse } from './key-use.ts'

/** A provider that stumbles is asked again at once, by whoever comes next, until so many requests in a row have failed … */
const patience = 3
/** … and then, by what anybody can send, once per this long, milliseconds. */
const outagePauseMs = 1_000
/** Keys may be withdrawn without a token to show it, so they are looked at again after this, milliseconds. */
const lookAgainAfterMs = 600_000
/** When that fails, it is tried again after this … */
const lookAgainMs = 30_000
/** … and for this long the known keys do. */
const longestUnseenMs = 86_400_000

/** The provider's key set, as it was last fetched. */
export interface HeldKeys {
  /**
   * The keys, looked at again now and then; when that fails, those that are known do for a while.
   * @throws GatewayError `provider_unavailable`
   */
  current(use: KeyUse): Promise<KeySet>
  /** The keys as they are known, if they are. */
  known(): KeySet | undefined
  isBeingFetched(): boolean
  /** Whether the last fetch has failed. */
  isOutage(): boolean
  /** One fetch at a time, whoever asks. @throws GatewayError `provider_unavailable` */
  fetch(): Promise<KeySet>
  /**
   * A fetch that was taken out of a budget. An outage of the keys must not cost those who come after it their rotation, nor make every
   * forgery a request.
   * @throws GatewayError `provider_unavailable`
   */
  fetchWithin(budget: FetchBudget, use: KeyUse): Promise<KeySet>
}

/** Holds none yet. */
export function createHeldKeys(client: OidcClient, now: () => number): HeldKeys {
  let cached: { readonly set: KeySet; readonly atMs: number } | undefined
  let nextLookAtMs = 0
  let fetching: Promise<KeySet> | undefined
  /** In a row. */
  let failures = 0
  const firsts = createFetchBudget(1, outagePauseMs, now)

  async function load(): Promise<KeySet> {
    const set = await loadKeys(client).catch((error: unknown) => {
      failures += 1
      throw error
    })
    failures = 0
    cached = { set, atMs: now() }
    nextLookAtMs = now() + lookAgainAfterMs
    return set
  }

  function fetch(): Promise<KeySet> {
    fetching ??= load().finally(() => {
      fetching = undefined
    })
    return fetching
  }

  async function fetchWithin(budget: FetchBudget, use: KeyUse): Promise<KeySet> {
    try {
      return await fetch()
    } catch (error) {
      budget.giveBack(isAnybodys(use) && failures > patience ? outagePauseMs : 0)
      throw error
    }
  }

  /** Whoever comes first needs them, but an outage is not asked about by every stranger. */
  async function first(use: KeyUse): Promise<KeySet> {
    if (!isAnybodys(use) || fetching !== undefined) return fetch()
    if (!firsts.take()) throw unavailable('keys unreachable')
    return fetchWithin(firsts, use)
  }

  return {
    async current(use) {
      if (cached === undefined) return first(use)
      const { set, atMs } = cached
      if (now() < nextLookAtMs) return set
      return fetch().catch((error: unknown) => {
        if (now() - atMs > longestUnseenMs) throw error
        nextLookAtMs = now() + lookAgainMs
        return set
      })
    },
    known: () => cached?.set,
    isBeingFetched: () => fetching !== undefined,
    isOutage: () => failures > 0,
    fetch,
    fetchWithin,
  }
}
