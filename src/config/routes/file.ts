import { basename, dirname } from 'node:path'
import { isPlainObject } from '../../basics/plain-object.ts'
import type { RouteAudience } from '../audience.ts'
import type { ConfigFault } from '../config-error.ts'
import { prefixProblem } from '../endpoints.ts'
import { type ConfigFiles, tryToRead } from '../environment.ts'
import { faultAt, inOrder, toPlaces } from '../yaml/faults.ts'
import { type DocumentPlace, readYaml } from '../yaml/source.ts'
import { toRoute } from './build.ts'
import { certificateReader } from './certificates.ts'
import type { RouteDefaults } from './default-route.ts'
import type { RouteConfig } from './route.ts'
import { routesFileSchema } from './schema.ts'

/** What became of a routes file: when there are faults, the routes are not to be used. */
export interface RoutesFileResult {
  readonly routes: readonly RouteConfig[]
  readonly faults: readonly ConfigFault[]
}

/**
 * Reads the routes file: YAML or JSON. Everything that is wrong is reported, with line and path.
 *
 * @param path of the file; certificate files are relative to its folder
 * @param defaults what a route inherits when it says nothing
 * @param audience the API of routes that name none
 */
export function readRoutesFile(
  path: string,
  defaults: RouteDefaults,
  audience: RouteAudience,
  files: ConfigFiles,
): RoutesFileResult {
  const text = tryToRead(path, files)
  if (text === undefined) {
    const example = 'ROUTES_FILE=./routes.yaml'
    return {
      routes: [],
      faults: [{ name: 'ROUTES_FILE', problem: 'names a file that cannot be read', example }],
    }
  }
  const source = readYaml(text)
  const fileName = basename(path)
  if (source.faults.length > 0) {
    const faults = source.faults.map(({ line, problem }) => faultAt(fileName, line, '', problem))
    return { routes: [], faults }
  }
  const { routes, places } = readRoutes(source.value, dirname(path), defaults, audience, files)
  return { routes, faults: inOrder(places, source, fileName) }
}

/**
 * Reads routes as they are written.
 *
 * @param untrusted an object with `routes`
 * @param folder that names of certificate files start from
 * @returns what is wrong by its place in that object
 */
export function readRoutes(
  untrusted: unknown,
  folder: string,
  defaults: RouteDefaults,
  audience: RouteAudience,
  files: ConfigFiles,
): { readonly routes: readonly RouteConfig[]; readonly places: readonly DocumentPlace[] } {
  const parsed = routesFileSchema.safeParse(untrusted)
  const certificates = certificateReader(folder, files)
  const routes = (parsed.data?.routes ?? []).map((route, index) =>
    toRoute(route, defaults, audience, certificates.of(route, index)),
  )
  const places = [
    ...(parsed.error?.issues ?? []).flatMap(toPlaces),
    ...prefixPlaces(untrusted, defaults.authPrefix),
    ...certificates.places,
  ]
  return { routes, places }
}

/** Overlaps and repetitions, found in the raw content so that other faults do not hide them. */
function prefixPlaces(untrusted: unknown, authPrefix: string): readonly DocumentPlace[] {
  const prefixes = rawPrefixes(untrusted)
  return prefixes.flatMap((prefix, index) => {
    const earlier = prefixes.slice(0, index).filter((one) => one !== undefined)
    const problem = prefix === undefined ? undefined : prefixProblem(prefix, authPrefix, earlier)
    return problem === undefined ? [] : [{ path: ['routes', index, 'prefix'], problem }]
  })
}

function rawPrefixes(untrusted: unknown): readonly (string | undefined)[] {
  const routes: unknown = isPlainObject(untrusted) ? Reflect.get(untrusted, 'routes') : undefined
  if (!Array.isArray(routes)) return []
  return routes.map((route: unknown) => {
    const prefix: unknown = isPlainObject(route) ? Reflect.get(route, 'prefix') : undefined
    return typeof prefix === 'string' && prefix.startsWith('/') && prefix.length > 1 ? prefix : undefined
  })
}
