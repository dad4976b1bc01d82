import { dirname, resolve } from 'node:path'
import { isPlainObject } from '../../basics/plain-object.ts'
import type { Environment } from '../environment.ts'
import { filePath } from '../settings/kinds/address.ts'
import { formsOf } from '../settings/setting.ts'
import { settingRows } from '../settings/settings.ts'
import type { DocumentPlace } from '../yaml/source.ts'

/** A frontend as it stands in the file: settings by name, and perhaps routes. Not yet believed. */
export interface WrittenFrontend {
  readonly name: string
  readonly untrusted: Readonly<Record<string, unknown>>
}

/** All names that a setting may be given by. */
const formsByName = new Map(settingRows.map(([name, setting]) => [name, formsOf(name, setting)]))
const ofFrontends = settingRows.flatMap(([name, { scope }]) => (scope === 'frontend' ? [name] : []))
const paths = new Set(settingRows.flatMap(([name, { parse }]) => (parse === filePath ? [name] : [])))

/** Where routes come from; whichever of these the file says, none of the environment's counts. */
const routeSources = ['API_URL', 'ROUTES_FILE', 'routes'] as const

/** The settings of one frontend as an environment, and what could not be had. */
export interface FrontendEnvironment {
  readonly env: Environment
  readonly places: readonly DocumentPlace[]
}

/**
 * Lays what is written of a frontend over the environment: a value in the file, in whichever form, takes the place of every form of the
 * environment's.
 *
 * @param file its path: names of files are relative to its folder
 */
export function frontendEnvironment(
  { name: frontend, untrusted }: WrittenFrontend,
  defaults: Environment,
  file: string,
): FrontendEnvironment {
  const env: Record<string, string | undefined> = {}
  const places: DocumentPlace[] = []
  const take = (form: string, isPath: boolean): void => {
    const text = textOf(untrusted[form], defaults)
    if (text === undefined) {
      const problem = 'names a variable of the environment that is not set'
      places.push({ path: ['frontends', frontend, form], problem })
    } else env[form] = isPath && text !== '' ? resolve(dirname(file), text) : text
  }
  for (const name of ofFrontends) {
    const forms = formsByName.get(name) ?? []
    const written = forms.filter((form) => Object.hasOwn(untrusted, form))
    for (const form of written) take(form, form !== name || paths.has(name))
    if (written.length > 0 || isReplaced(name, untrusted)) continue
    for (const form of forms) env[form] = defaults[form]
  }
  // What makes it the routes' file: they stand in it.
  if (Object.hasOwn(untrusted, 'routes')) env.ROUTES_FILE ??= file
  return { env, places }
}

function isReplaced(name: string, untrusted: WrittenFrontend['untrusted']): boolean {
  return routeSources.some((one) => one === name) && routeSources.some((one) => Object.hasOwn(untrusted, one))
}

function textOf(untrusted: unknown, env: Environment): string | undefined {
  if (typeof untrusted !== 'object' || untrusted === null) return String(untrusted ?? '').trim()
  const name: unknown = Reflect.get(untrusted, 'env')
  const text = typeof name === 'string' && Object.hasOwn(env, name) ? env[name]?.trim() : undefined
  return text === '' ? undefined : text
}

/** The frontends of a document, as far as it has them. */
export function writtenFrontends(untrusted: unknown): readonly WrittenFrontend[] {
  const frontends = member(untrusted, 'frontends')
  if (!isPlainObject(frontends)) return []
  return Object.entries(frontends).flatMap(([name, one]: [string, unknown]) =>
    isPlainObject(one) ? [{ name, untrusted: one as Readonly<Record<string, unknown>> }] : [],
  )
}

function member(value: unknown, name: string): unknown {
  return isPlainObject(value) ? Reflect.get(value, name) : undefined
}
