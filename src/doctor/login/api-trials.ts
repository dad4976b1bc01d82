import type { Config } from '../../config/load-config.ts'
import { isProxied, type ProxiedRoute, sentTokenKind } from '../../config/routes/route.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import type { ApiGrantOutcome } from '../../oidc/tokens/grants.ts'

import type { AccessToken, TokenBinding } from '../../oidc/tokens/token-set.ts'
import { readBearerChallenge } from '../../proxy/headers/challenges.ts'
import { askApi } from '../probes/api-probe.ts'
import type { ProbeAnswer } from '../probes/http-probe.ts'
import type { ApiTrial } from './login-report.ts'
import { shownToken } from './shown-token.ts'

/** What there is to be shown to APIs. */
export interface HeldTokens {
  /** Access tokens of the user, by the key of their API. */
  readonly byApi: ReadonlyMap<string, AccessToken>
  readonly binding: TokenBinding | undefined
}

/**
 * Calls each route's API once with the token that the gateway would send there, and once without: what differs is due to the token.
 *
 * @param now the clock, epoch milliseconds
 */
export function tryApis(
  config: Config,
  provider: Provider,
  held: HeldTokens,
  now: () => number,
): Promise<readonly ApiTrial[]> {
  return Promise.all(
    config.routes.filter(isProxied).map(async (route) => {
      const found = await tokenFor(route, provider, held, config.audience.key)
      const { prefix, upstream } = route
      return { prefix, upstream, said: await tryApi(route, config, found, { held, now }) }
    }),
  )
}

type Token = { readonly token: AccessToken } | { readonly missing: string }

async function tryApi(
  route: ProxiedRoute,
  config: Config,
  found: Token,
  { held, now }: { readonly held: HeldTokens; readonly now: () => number },
): Promise<ApiTrial['said']> {
  if ('missing' in found) return { kind: 'untried', reason: found.missing }
  const show = (nonce?: string) => shownToken(route, found.token, held.binding, nonce, now())
  const shown = show()
  if (shown === undefined)
    return { kind: 'untried', reason: 'it is bound to what only the running gateway can show' }
  const withoutToken = await askApi(route, config)
  const first = await askApi(route, config, shown)
  const nonce = wantedNonce(first)
  const withToken = nonce === undefined ? first : await askApi(route, config, show(nonce))
  return { kind: 'answers', withoutToken, withToken }
}

/** The nonce that an API wants to see in the proof (RFC 9449 section 9). */
function wantedNonce(answer: ProbeAnswer): string | undefined {
  if (answer.kind === 'failed' || answer.status !== 401) return undefined
  const isAsked =
    readBearerChallenge(answer.headers['www-authenticate'] ?? '', 'dpop')?.error === 'use_dpop_nonce'
  const nonce = answer.headers['dpop-nonce']
  return isAsked && typeof nonce === 'string' ? nonce : undefined
}

async function tokenFor(
  route: ProxiedRoute,
  provider: Provider,
  { byApi, binding }: HeldTokens,
  loginKey: string,
): Promise<Token> {
  const { api, exchange } = route.access
  const user = byApi.get((route.audience ?? { key: loginKey }).key)
  switch (sentTokenKind(route)) {
    case 'none':
      return { missing: 'no token is sent there' }
    case 'gateway':
      return { missing: 'its tokens are made by the running gateway' }
    case 'client':
      return api === undefined
        ? { missing: 'its API is not named' }
        : granted(await provider.clientToken(api))
    case 'exchange':
      if (api === undefined || user === undefined) return { missing: 'no token came to exchange' }
      return granted(await provider.exchange({ subjectToken: user.value, api, exchange, binding }))
    case 'user':
      return user === undefined ? { missing: 'none came for it that an API could use' } : { token: user }
  }
}

function granted(outcome: ApiGrantOutcome): Token {
  return outcome.kind === 'granted'
    ? { token: outcome.token }
    : { missing: `the provider grants no token for it (${outcome.error})` }
}
