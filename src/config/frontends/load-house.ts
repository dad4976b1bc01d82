import { createHash } from 'node:crypto'
import { basename, dirname } from 'node:path'
import { ConfigError, type ConfigFault } from '../config-error.ts'
import { type ConfigFiles, type Environment, settingFault, tryToRead } from '../environment.ts'
import { deepFreeze } from '../freeze.ts'
import { type Config, diskFiles, readConfig, readProcessSettings } from '../load-config.ts'
import { readRoutes } from '../routes/file.ts'
import { formsOf } from '../settings/setting.ts'
import { type ProcessSettings, settingRows, settings } from '../settings/settings.ts'
import { faultAt, inOrder, toPlaces } from '../yaml/faults.ts'
import { type DocumentPlace, readYaml, type YamlSource } from '../yaml/source.ts'
import { betweenFrontends, foreignPathsAmong } from './between.ts'
import { noteReads } from './noted-files.ts'
import { frontendsFileSchema, nameProblem } from './schema.ts'
import { frontendEnvironment, type WrittenFrontend, writtenFrontends } from './written.ts'

/** A frontend, ready to be put together. */
export interface FrontendConfig {
  readonly name: string
  /** The process's settings and its own; frozen. */
  readonly config: Config
  /** Two that are equal were read from the same values, files included. */
  readonly fingerprint: string
}

/** The configuration of a process with several frontends. */
export interface HouseConfig {
  readonly process: ProcessSettings
  readonly frontends: readonly FrontendConfig[]
}

/** Whether the environment names a frontends file. */
export function hasFrontendsFile(env: Environment): boolean {
  return (env.FRONTENDS_FILE ?? '').trim() !== ''
}

/** Where the faults of a frontend are reported. */
interface FileContext {
  readonly source: YamlSource
  readonly fileName: string
  readonly path: string
  readonly env: Environment
  readonly files: ConfigFiles
  readonly process: ProcessSettings
}

/**
 * Reads the process's settings from the environment and the frontends from `FRONTENDS_FILE` (DESIGN-2 section 3).
 *
 * @param env the process's settings, and the defaults of the frontends'
 * @param files how files are read; from disk unless told otherwise
 * @throws ConfigError with everything that is wrong in both
 */
export function loadHouse(env: Environment, files: ConfigFiles = diskFiles): HouseConfig {
  const { process, faults } = readProcessSettings(env, files)
  const path = process.frontendsFile
  if (path === undefined) throw new ConfigError([...faults, missingFile('is missing')])
  const text = tryToRead(path, files)
  if (text === undefined) throw new ConfigError([...faults, missingFile('names a file that cannot be read')])
  if ((env.BASE_URL ?? '').trim() !== '') faults.push(baseUrlBeside)
  const source = readYaml(text)
  // Nothing that a frontend inherits: it was refused above.
  const inherited = { ...env, BASE_URL: undefined }
  const read = readFrontends({ source, fileName: basename(path), path, env: inherited, files, process })
  faults.push(...read.faults)
  if (faults.length > 0) throw new ConfigError(faults)
  return deepFreeze({ process, frontends: read.frontends })
}

const missingFile = (problem: string): ConfigFault =>
  settingFault('FRONTENDS_FILE', settings.FRONTENDS_FILE, problem)

const baseUrlBeside: ConfigFault = {
  name: 'BASE_URL',
  problem: 'is set beside FRONTENDS_FILE, which says it of each frontend; set it there alone',
  example: undefined,
}

function readFrontends(context: FileContext): {
  readonly frontends: readonly FrontendConfig[]
  readonly faults: readonly ConfigFault[]
} {
  const { source, fileName } = context
  if (source.faults.length > 0) {
    return { frontends: [], faults: source.faults.map((one) => faultAt(fileName, one.line, '', one.problem)) }
  }
  const { error } = frontendsFileSchema.safeParse(source.value)
  const written = writtenFrontends(source.value)
  const read = written.map((one) => readFrontend(one, context))
  const configs = read.flatMap(({ config }) => (config === undefined ? [] : [config]))
  const places = [
    ...(error?.issues ?? [])
      .filter((issue) => !isWithinRoutes(issue.path))
      .flatMap(toPlaces)
      .map(ofProcess),
    ...written.flatMap(misnamed),
    ...read.flatMap((one) => one.places),
    ...betweenFrontends(configs),
  ]
  const foreignPathsOf = foreignPathsAmong(configs)
  const elsewhere = new Map(read.flatMap((one) => one.elsewhere).map((fault) => [fault.name, fault]))
  return {
    frontends: read.flatMap(({ config, fingerprint }) =>
      config?.frontend === undefined
        ? []
        : [placed(config.frontend, config, foreignPathsOf(config), fingerprint)],
    ),
    faults: [...inOrder(firstOfEach(places), source, fileName), ...elsewhere.values()],
  }
}

function misnamed({ name }: WrittenFrontend): readonly DocumentPlace[] {
  const problem = nameProblem(name)
  return problem === undefined ? [] : [{ path: ['frontends', name], problem }]
}

/** What is not a value at all is missing as well, and whatever else follows from it. */
function firstOfEach(places: readonly DocumentPlace[]): readonly DocumentPlace[] {
  const first = new Map<string, DocumentPlace>()
  for (const place of places) {
    const key = place.path.join('\n')
    if (!first.has(key)) first.set(key, place)
  }
  return [...first.values()]
}

function placed(name: string, config: Config, foreignPaths: readonly string[], read: string): FrontendConfig {
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([read, foreignPaths]))
    .digest('base64url')
  return { name, config: { ...config, foreignPaths }, fingerprint }
}

/** Routes are read once more together with the settings they depend on, which finds the same faults and others. */
function isWithinRoutes(path: readonly PropertyKey[]): boolean {
  return path[0] === 'frontends' && path[2] === 'routes'
}

/** In whichever form. */
const namesOfProcess = new Set(
  settingRows.flatMap(([name, setting]) => (setting.scope === 'process' ? formsOf(name, setting) : [])),
)

function ofProcess(place: DocumentPlace): DocumentPlace {
  if (!namesOfProcess.has(String(place.path.at(-1)))) return place
  return {
    ...place,
    problem: 'is a setting of the process and no frontend has its own; set it in the environment',
  }
}

function readFrontend(written: WrittenFrontend, context: FileContext) {
  const { name, untrusted } = written
  const noted = noteReads(context.files)
  const { env, places } = frontendEnvironment(written, context.env, context.path)
  const routePlaces: DocumentPlace[] = []
  const readOwnRoutes = ownRoutes(written, context.path, noted.files, routePlaces)
  const { config, faults } = readConfig(env, noted.files, {
    name,
    process: context.process,
    readRoutes: readOwnRoutes,
  })
  const sorted = faults.map((fault) => placeOf(fault, written, context.env))
  // A whole name of its own, instead of one that the frontend's is put behind.
  const own = Object.hasOwn(untrusted, 'COOKIE_NAME') ? config?.cookieName : undefined
  return {
    config: config === undefined || own === undefined ? config : { ...config, cookieWord: own },
    fingerprint: JSON.stringify([env, untrusted.routes ?? null, noted.reads()]),
    places: [
      ...twiceRouted(written),
      ...places,
      ...routePlaces,
      ...sorted.flatMap(({ place }) => place ?? []),
    ],
    elsewhere: sorted.flatMap(({ fault }) => fault ?? []),
  }
}

/** Where routes come from besides the frontend itself, in its own words: the settings' rule would name a file that it does not have. */
function twiceRouted({ name, untrusted }: WrittenFrontend): readonly DocumentPlace[] {
  if (!Object.hasOwn(untrusted, 'routes')) return []
  return ['API_URL', 'ROUTES_FILE']
    .filter((other) => Object.hasOwn(untrusted, other))
    .map((other) => ({
      path: ['frontends', name, other],
      problem: 'is set, and so are routes; keep one of them',
    }))
}

type ReadRoutes = NonNullable<Parameters<typeof readConfig>[2]>['readRoutes']

function ownRoutes(
  { name, untrusted }: WrittenFrontend,
  path: string,
  files: ConfigFiles,
  places: DocumentPlace[],
): ReadRoutes {
  if (!Object.hasOwn(untrusted, 'routes')) return undefined
  return (defaults, audience) => {
    const found = readRoutes({ routes: untrusted.routes }, dirname(path), defaults, audience, files)
    places.push(...found.places.map((place) => ({ ...place, path: ['frontends', name, ...place.path] })))
    return { routes: found.routes, faults: [] }
  }
}

/** A fault of a setting belongs to its line in the file, one of a default to the environment, and what is missing to the frontend. */
function placeOf(
  fault: ConfigFault,
  { name, untrusted }: WrittenFrontend,
  env: Environment,
): { readonly place?: DocumentPlace; readonly fault?: ConfigFault } {
  if (/\W/.test(fault.name)) return { fault }
  const base = fault.name.replace(/_FILE$/, '')
  const key = [fault.name, base, `${base}_FILE`].find((one) => Object.hasOwn(untrusted, one))
  if (key === undefined && [base, `${base}_FILE`].some((one) => (env[one] ?? '').trim() !== ''))
    return { fault }
  return { place: { path: ['frontends', name, key ?? fault.name], problem: fault.problem } }
}
