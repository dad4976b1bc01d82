import type { Config } from '../../config/load-config.ts'
import { isProxied, type ProxiedRoute } from '../../config/routes/route.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import type { ApiGrantOutcome } from '../../oidc/tokens/api-grant.ts'
import { askApi } from '../api-probe.ts'
import type { ApiTrial } from './login-report.ts'

/**
 * Calls each route's API once with the token that the gateway would send there, and once without: what differs is due to the token.
 *
 * @param held access tokens of the user, by the key of their API
 */
export function tryApis(
  config: Config,
  provider: Provider,
  held: ReadonlyMap<string, string>,
): Promise<readonly ApiTrial[]> {
  const { routes, audience } = config
  return Promise.all(
    routes.filter(isProxied).map(async (route) => ({
      prefix: route.prefix,
      upstream: route.upstream,
      said: await tryApi(route, config, await tokenFor(route, provider, held, audience.key)),
    })),
  )
}

type Token = { readonly token: string } | { readonly missing: string }

async function tryApi(route: ProxiedRoute, config: Config, found: Token): Promise<ApiTrial['said']> {
  if ('missing' in found) return { kind: 'untried', reason: found.missing }
  const withoutToken = await askApi(route, config)
  return { kind: 'answers', withoutToken, withToken: await askApi(route, config, found.token) }
}

async function tokenFor(
  { access, audience, auth }: ProxiedRoute,
  provider: Provider,
  held: ReadonlyMap<string, string>,
  loginKey: string,
): Promise<Token> {
  const user = held.get((audience ?? { key: loginKey }).key)
  switch (access.token) {
    case 'none':
      return { missing: 'no token is sent there' }
    case 'gateway':
      return { missing: 'its tokens are made by the running gateway' }
    case 'client':
      return access.api === undefined
        ? { missing: 'its API is not named' }
        : granted(await provider.clientToken(access.api))
    case 'exchange':
      if (access.api === undefined || user === undefined) return { missing: 'no token came to exchange' }
      return granted(
        await provider.exchange({ subjectToken: user, api: access.api, exchange: access.exchange }),
      )
    case 'user':
      if (auth === 'none') return { missing: 'no token is sent there' }
      return user === undefined ? { missing: 'none came for it that an API could use' } : { token: user }
  }
}

function granted(outcome: ApiGrantOutcome): Token {
  return outcome.kind === 'granted'
    ? { token: outcome.token.value }
    : { missing: `the provider grants no token for it (${outcome.error})` }
}
