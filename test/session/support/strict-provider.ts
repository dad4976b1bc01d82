import type { Provider } from '../../../src/oidc/provider/provider.ts'

/** A provider that takes each refresh token once, and remembers when one is presented a second time. */
export interface StrictProvider extends Pick<Provider, 'refresh' | 'revoke'> {
  readonly faults: string[]
  readonly isCurrent: (refreshToken: string) => boolean
  /** Whether a session has a refresh token that still works. */
  readonly hasLive: (family: string) => boolean
  /** The first refresh token of a session. */
  readonly issue: (family: string) => string
}

/**
 * Makes one.
 *
 * @param pause how long it thinks
 * @param isDown asked at each grant: whether it answers with an outage, before it has looked at the token
 */
export function createStrictProvider(
  now: () => number,
  pause: () => Promise<void>,
  isDown: () => boolean,
): StrictProvider {
  const current = new Set<string>()
  const spent = new Set<string>()
  const busy = new Set<string>()
  const faults: string[] = []
  let issued = 0
  const issue = (family: string): string => {
    issued += 1
    const token = `${family}/${issued}`
    current.add(token)
    return token
  }
  return {
    faults,
    issue,
    isCurrent: (token) => current.has(token),
    hasLive: (family) => [...current].some((token) => token.startsWith(`${family}/`)),
    async refresh({ refreshToken, identity, audience }) {
      if (isDown()) {
        await pause()
        return { kind: 'unavailable', error: 'http_503', retryAfterSeconds: undefined, cause: 'transport' }
      }
      const family = refreshToken.split('/')[0] ?? ''
      if (spent.has(refreshToken)) faults.push(`presented again: ${refreshToken}`)
      if (busy.has(family)) faults.push(`two grants at once: ${refreshToken}`)
      if (!current.delete(refreshToken)) return { kind: 'refused', error: 'invalid_grant', isCertain: true }
      spent.add(refreshToken)
      busy.add(family)
      await pause()
      busy.delete(family)
      // Over already, so that every further request has to refresh again.
      const times = { obtainedAtMs: now() - 60_000, expiresAtMs: now() }
      const accessToken = { value: `${audience.key}-${issued}`, ...times }
      const none = { idToken: undefined, sessionExpirySeconds: undefined }
      return { kind: 'refreshed', accessToken, refreshToken: issue(family), identity, ...none }
    },
    async revoke(refreshToken) {
      current.delete(refreshToken)
      return true
    },
  }
}
