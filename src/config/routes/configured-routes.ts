import type { RouteAudience } from '../audience.ts'
import type { ConfigFault } from '../config-error.ts'
import { prefixProblem } from '../endpoints.ts'
import { type ConfigFiles, settingFault } from '../environment.ts'
import { type SettingValues, settings } from '../settings/settings.ts'
import { defaultRoute } from './default-route.ts'
import { readRoutesFile } from './file.ts'
import type { RouteConfig } from './route.ts'
import { toAccess } from './rules/build-access.ts'

/** The routes of a frontend, those of `ROUTES_FILE` or the one of `API_URL`, and what is wrong with them. */
export function loadRoutes(
  values: SettingValues,
  audience: RouteAudience,
  files: ConfigFiles,
): { readonly routes: readonly RouteConfig[]; readonly faults: readonly ConfigFault[] } {
  if (values.routesFile !== undefined) return readRoutesFile(values.routesFile, values, audience, files)
  if (values.apiUrl === undefined) return { routes: [], faults: [] }
  const problem = prefixProblem(values.apiPrefix, values.authPrefix, [])
  const faults = problem === undefined ? [] : [settingFault('API_PREFIX', settings.API_PREFIX, problem)]
  return { routes: [singleRoute(values, values.apiUrl, audience)], faults }
}

/** The one API of `API_URL`, with the settings that say in its place what a routes file says for a route. */
function singleRoute(values: SettingValues, upstream: URL, audience: RouteAudience): RouteConfig {
  const { apiToken: token, apiCallers: callers, apiRequire: require } = values
  const access = toAccess({ token, callers, require }, audience)
  const base = defaultRoute(values, audience)
  return {
    ...base,
    prefix: values.apiPrefix,
    upstream,
    audience: token === 'user' ? audience : undefined,
    access,
  }
}
