import type { RouteConfig } from './routes/route.ts'
import { isLoopback } from './settings/kinds/address.ts'
import type { SettingValues } from './settings/settings.ts'

/** Fewer different characters than this mean that nobody drew them at random: random hexadecimal has more. */
const leastDifferentCharacters = 8

/** Shorter proofs of a device are renewed at every request, until the browser allows itself no more, seconds. */
const leastProofSeconds = 240

type WarnedSettings = Pick<
  SettingValues,
  | 'sessionSecret'
  | 'providerAddress'
  | 'scope'
  | 'spaUrl'
  | 'baseUrl'
  | 'sessionIdleTimeout'
  | 'sessionMaxLifetime'
  | 'deviceBinding'
  | 'deviceBindingLifetime'
  | 'forwardAuthPort'
> & { readonly routes: readonly Pick<RouteConfig, 'prefix' | 'upstream'>[] }

/**
 * What is allowed but hardly meant, as one line each. Pure; never shows a secret.
 *
 * @param values a valid configuration
 */
export function configWarnings({
  sessionSecret,
  providerAddress,
  scope,
  spaUrl,
  baseUrl,
  sessionIdleTimeout,
  sessionMaxLifetime,
  deviceBinding,
  deviceBindingLifetime,
  forwardAuthPort,
  routes,
}: WarnedSettings): readonly string[] {
  const isWeak = sessionSecret.some((secret) => new Set(secret).size < leastDifferentCharacters)
  const isPlain = providerAddress?.protocol === 'http:' && !isLoopback(providerAddress)
  const words = scope.split(' ')
  const isOnline = words.includes('online_access')
  const asksTwice = isOnline && words.includes('offline_access')
  const provesTooOften = deviceBinding !== 'off' && deviceBindingLifetime < leastProofSeconds
  const unasked =
    forwardAuthPort === undefined ? routes.filter(({ upstream }) => upstream === 'external') : []
  return [
    ...(unasked.length > 0
      ? [
          `FORWARD_AUTH_PORT is not set, so nobody can ask about routes with upstream: external (${unasked.map(({ prefix }) => prefix || '/').join(', ')}); requests for them are 404 here`,
        ]
      : []),
    ...(isWeak
      ? ['SESSION_SECRET repeats too few characters to be random; make one with: coatcheck secret']
      : []),
    ...(spaUrl !== undefined && !isLoopback(baseUrl)
      ? [
          'SPA_URL is for a development server, but BASE_URL is not on loopback: what it serves runs on the origin of the gateway; see docs/frontends.md',
        ]
      : []),
    ...(sessionIdleTimeout > sessionMaxLifetime
      ? ['SESSION_IDLE_TIMEOUT is above SESSION_MAX_LIFETIME, which ends sessions first']
      : []),
    ...(isPlain
      ? ['PROVIDER_ADDRESS is plain http: secrets and tokens cross that network in the clear']
      : []),
    ...(provesTooOften
      ? [
          `DEVICE_BINDING_LIFETIME is below ${leastProofSeconds}: Chromium renews a proof whenever less than two minutes of it are left, but six times in nine minutes at most`,
        ]
      : []),
    ...(asksTwice
      ? ['SCOPE asks for online_access beside offline_access, which Auth0 refuses; keep one of them']
      : []),
    ...(isOnline && !asksTwice
      ? [
          "SCOPE asks for online_access: at Auth0 a sign-out revokes that refresh token, which ends the user's session there, with all its applications; offline_access keeps the two apart",
        ]
      : []),
  ]
}
