import { ownedPaths } from '../endpoints.ts'
import type { Config } from '../load-config.ts'
import { isPlainAuthority } from '../settings/kinds/address.ts'
import type { DocumentPlace } from '../yaml/source.ts'

const unreachable =
  'has a host that no request can name: letters, digits, - and _ with single dots between, and none at its end'

/** What must be true between frontends: no two at one address, none at an endpoint of another, no two with one cookie. */
export function betweenFrontends(configs: readonly Config[]): readonly DocumentPlace[] {
  const addresses = new Map<string, Config>()
  const byPlace = new Map<string, Config>()
  const words = new Map<string, Config>()
  const places: DocumentPlace[] = []
  const complain = ({ frontend = '' }: Config, key: string, problem: string): void => {
    places.push({ path: ['frontends', frontend, key], problem })
  }
  for (const config of configs) {
    if (!isPlainAuthority(config.baseUrl.host)) complain(config, 'BASE_URL', unreachable)
    // The doorman sees an authority and a path, and no scheme.
    const place = `${config.baseUrl.host}${config.basePath}`
    const taken = byPlace.get(place)
    if (taken !== undefined) complain(config, 'BASE_URL', `is that of ${taken.frontend} too`)
    else {
      byPlace.set(place, config)
      addresses.set(config.baseUrl.href, config)
    }
    const word = config.cookieWord.toLowerCase()
    const owner = words.get(word)
    if (owner !== undefined) complain(config, 'COOKIE_NAME', `gives it the cookies of ${owner.frontend}`)
    else words.set(word, config)
  }
  for (const config of configs) {
    const hidden = hiddenBy(config, aboveOf(config, addresses))
    if (hidden !== undefined)
      complain(config, 'BASE_URL', `lies at ${hidden.path}, which is ${hidden.frontend}'s`)
  }
  return places
}

/** The frontends of one origin whose paths lie above. */
function aboveOf({ baseUrl, basePath }: Config, addresses: ReadonlyMap<string, Config>): readonly Config[] {
  const segments = basePath.split('/').slice(1)
  return segments.flatMap((_segment, count) => {
    const path = segments
      .slice(0, count)
      .map((one) => `/${one}`)
      .join('')
    const above = addresses.get(new URL(`${baseUrl.origin}${path}`).href)
    return above === undefined ? [] : [above]
  })
}

function hiddenBy({ basePath }: Config, above: readonly Config[]) {
  for (const { frontend, ...other } of above) {
    const path = pathsOf(other).find((one) => basePath === one || basePath.startsWith(`${one}/`))
    if (path !== undefined) return { path, frontend }
  }
  return undefined
}

function pathsOf({ authPrefix, routes }: Pick<Config, 'authPrefix' | 'routes'>): readonly string[] {
  return [...ownedPaths(authPrefix), ...routes.map(({ prefix }) => prefix)]
}

/** Endpoints and routes of frontends on the same origin that lie below one of these. */
export function foreignPathsAmong(all: readonly Config[]): (config: Config) => readonly string[] {
  // Once for all: there may be a thousand of them.
  const byOrigin = Map.groupBy(all, ({ baseUrl }) => baseUrl.origin)
  return ({ baseUrl, basePath }) =>
    (byOrigin.get(baseUrl.origin) ?? []).flatMap((other) =>
      other.basePath.startsWith(`${basePath}/`) ? pathsOf(other) : [],
    )
}
