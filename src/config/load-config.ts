import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { RouteAudience } from './audience.ts'
import { describeAudience } from './audience.ts'
import { ConfigError, type ConfigFault } from './config-error.ts'
import { cookieWordOf } from './cookie-names.ts'
import {
  type ConfigFiles,
  type Environment,
  readSetting,
  type SettingSource,
  settingFault,
  tryToRead,
} from './environment.ts'
import { deepFreeze } from './freeze.ts'
import { type OperatorPages, type PagesFolderResult, readPagesFolder } from './pages/folder.ts'
import { loadRoutes } from './routes/configured-routes.ts'
import type { RouteDefaults } from './routes/default-route.ts'
import type { RoutesFileResult } from './routes/file.ts'
import type { RouteConfig } from './routes/route.ts'
import { accessFaults } from './routes/rules/access-faults.ts'
import { bindingFaults } from './routes/rules/binding-faults.ts'
import { accessClaimsOf, identityClaimsOf, readsIdentity } from './routes/rules/claims-read.ts'
import { pathOf } from './settings/kinds/address.ts'
import { parseSettings, parseText } from './settings/parse-settings.ts'
import { profileDefaults } from './settings/profile.ts'
import { configRules } from './settings/rules.ts'
import type { Setting, SettingScope } from './settings/setting.ts'
import { type ProcessSettings, type SettingValues, settingRows, settings } from './settings/settings.ts'

/** The whole configuration: all settings by camelCase name, and what follows from several of them. Frozen. */
export interface Config extends SettingValues {
  /** The name of this frontend; `undefined` without `FRONTENDS_FILE`. */
  readonly frontend: string | undefined
  /** Endpoints and routes of other frontends that lie below `basePath` on this origin: nobody returns there from here. */
  readonly foreignPaths: readonly string[]
  /** The path of `BASE_URL`, `''` for none; `authPrefix` and the prefixes of `routes` begin with it. */
  readonly basePath: string
  /** What the names of all cookies begin with, behind the prefix of browsers. */
  readonly cookieWord: string
  /** The API whose audience the login asks for. */
  readonly audience: RouteAudience
  /** Claims of the identity that sessions keep: those of `USER_CLAIMS`, and those that routes read. */
  readonly identityClaims: readonly string[]
  /** A route reads who signed in. */
  readonly keepsIdentity: boolean
  /** Claims of access tokens that routes judge by, by the key of their audience. */
  readonly accessClaims: Readonly<Record<string, readonly string[]>>
  /** All proxied prefixes, in the order in which they were written. */
  readonly routes: readonly RouteConfig[]
  /** What `PAGES_DIR` holds. */
  readonly pages: OperatorPages | undefined
  /** The files that settings were read from by their `_FILE` form, by the setting's name: some are read again. */
  readonly settingFiles: Readonly<Record<string, string>>
}

/** A setting as it is in effect. */
export interface EffectiveSetting {
  readonly name: string
  readonly setting: Setting<unknown>
  readonly text: string | undefined
  readonly source: SettingSource
  /** Whether the text is a value of the setting; otherwise it may be anything, even a secret in the wrong place. */
  readonly isValid: boolean
}

/** Files as they are. */
export const diskFiles: ConfigFiles = {
  readFile: (path) => readFileSync(path, 'utf8'),
  listFolder: (path) => (existsSync(path) ? readdirSync(path) : []),
}

/**
 * Reads the whole configuration and checks it, across settings too.
 *
 * @param env variables; an empty one counts as unset
 * @param files how `…_FILE` settings and the routes file are read; from disk unless told otherwise
 * @throws ConfigError with everything that is wrong, not only the first thing
 */
export function loadConfig(env: Environment, files: ConfigFiles = diskFiles): Config {
  const { config, faults } = readConfig(env, files)
  if (config?.frontendsFile !== undefined) faults.push(severalFrontends)
  if (config === undefined || faults.length > 0) throw new ConfigError(faults)
  return deepFreeze(config)
}

const severalFrontends = settingFault(
  'FRONTENDS_FILE',
  settings.FRONTENDS_FILE,
  'names several frontends, of which this takes one: name it with --frontend, or use loadHouse',
)

/** How the configuration of one frontend among several is read. */
export interface FrontendPlace {
  readonly name: string
  /** The process's settings, already read and checked. */
  readonly process: ProcessSettings
  /** The routes that stand with the frontend; `undefined`: its settings say where they are. */
  readonly readRoutes: ((defaults: RouteDefaults, audience: RouteAudience) => RoutesFileResult) | undefined
}

/**
 * Reads a whole configuration, with everything that is wrong with it.
 *
 * @param env all settings, or those of one frontend
 * @param place which frontend it is, where there are several
 */
export function readConfig(
  env: Environment,
  files: ConfigFiles,
  place?: FrontendPlace,
): { readonly config: Config | undefined; readonly faults: ConfigFault[] } {
  const scope = place === undefined ? undefined : 'frontend'
  const { values, faults, faultyNames, settingFiles } = parseSettings(env, files, scope, place?.process)
  faults.push(...applyRules(values, faultyNames, scope), ...checkSpa(values, files))
  const audience = describeAudience(values.apiAudience ?? [], values.audienceParameter, undefined)
  const routes = place?.readRoutes?.(values, audience) ?? loadRoutes(values, audience, files)
  const { pages, faults: pageFaults } = loadPages(values, files)
  faults.push(
    ...routes.faults,
    ...accessFaults(routes.routes, values),
    ...bindingFaults(routes.routes, values),
    ...pageFaults,
  )
  if (faultyNames.has('BASE_URL')) return { config: undefined, faults }
  const config = {
    ...beneathBasePath(values, routes.routes),
    frontend: place?.name,
    foreignPaths: [],
    cookieWord: cookieWordOf(values, place?.name),
    audience,
    identityClaims: [...new Set([...values.userClaims, ...identityClaimsOf(routes.routes)])],
    accessClaims: accessClaimsOf(routes.routes, audience),
    keepsIdentity: routes.routes.some(readsIdentity),
    pages,
    settingFiles,
  }
  return { config, faults }
}

/** Reads the process's settings alone, with everything that is wrong with them. */
export function readProcessSettings(env: Environment, files: ConfigFiles) {
  const { values, faults, faultyNames } = parseSettings(env, files, 'process')
  const process: ProcessSettings = values
  return { process, faults: [...faults, ...applyRules(values, faultyNames, 'process')] }
}

/** Paths as browsers see them: everything lies beneath the path of `BASE_URL`. */
function beneathBasePath(values: SettingValues, routes: readonly RouteConfig[]) {
  const basePath = pathOf(values.baseUrl)
  const placed = routes.map((route) => ({ ...route, prefix: `${basePath}${route.prefix}` }))
  return { ...values, basePath, authPrefix: `${basePath}${values.authPrefix}`, routes: placed }
}

/** Every setting as it is in effect, for `coatcheck config`; those that are missing or cannot be read are left out. */
export function effectiveSettings(
  env: Environment,
  files: ConfigFiles = diskFiles,
): readonly EffectiveSetting[] {
  const defaults = profileDefaults(env)
  return settingRows.flatMap(([name, setting]) => {
    const defaultText = defaults[name] ?? setting.defaultText
    const found = readSetting(name, { ...setting, defaultText }, env, files)
    if ('problem' in found) return []
    return [{ name, setting, ...found, isValid: 'value' in parseText(name, setting, found.text) }]
  })
}

/** @param scope the process's rules read only its settings; all others are a frontend's; `undefined`: all */
function applyRules(
  values: SettingValues,
  faultyNames: ReadonlySet<string>,
  scope?: SettingScope,
): readonly ConfigFault[] {
  return configRules.flatMap(({ reads, check }) => {
    const ofProcess = reads.every((name) => settings[name].scope === 'process')
    if (scope !== undefined && ofProcess !== (scope === 'process')) return []
    if (reads.some((name) => faultyNames.has(name))) return []
    const problem = check(values)
    return problem === undefined ? [] : [settingFault(reads[0], settings[reads[0]], problem)]
  })
}

function checkSpa({ spaDir }: SettingValues, files: ConfigFiles): readonly ConfigFault[] {
  if (spaDir === undefined || tryToRead(join(spaDir, 'index.html'), files) !== undefined) return []
  const fault = listsAny(spaDir, files)
    ? 'names a folder without an index.html'
    : 'names a folder that is empty or not there'
  const problem = `${fault}; a relative one counts from ${resolve('.')}, where the command runs, and meant is the app's build`
  return [settingFault('SPA_DIR', settings.SPA_DIR, problem)]
}

/** Folders that are not there list nothing. */
function listsAny(folder: string, { listFolder }: ConfigFiles): boolean {
  try {
    return listFolder === undefined || listFolder(folder).length > 0
  } catch {
    return false
  }
}

function loadPages({ pagesDir }: SettingValues, files: ConfigFiles): PagesFolderResult {
  return pagesDir === undefined ? { pages: undefined, faults: [] } : readPagesFolder(pagesDir, files)
}
