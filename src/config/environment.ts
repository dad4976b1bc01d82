import type { ConfigFault } from './config-error.ts'
import { hasFileForm, type Setting } from './settings/setting.ts'

/** Names and values as the process or `.env` has them. Untrusted until parsed. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What loading may read besides the environment; synchronous, because nothing else happens before it is done. */
export interface ConfigFiles {
  /** The file's text. Throws when it cannot be read. */
  readonly readFile: (path: string) => string
  /** Names of a folder's entries, if that can be asked. */
  readonly listFolder?: (path: string) => readonly string[]
}

/** Where the text of a setting came from. */
export type SettingSource = 'environment' | 'file' | 'default' | 'unset'

/** The text of a setting, before it is parsed. */
export interface SettingText {
  readonly text: string | undefined
  readonly source: SettingSource
  /** The file that `<NAME>_FILE` names, when the text came from there. */
  readonly path?: string
}

/** A fault of the setting `name`. */
export function settingFault(name: string, setting: Setting<unknown>, problem: string): ConfigFault {
  const inFile = setting.unit === 'PEM text'
  return { name, problem, example: `${inFile ? `${name}_FILE` : name}=${setting.example}` }
}

/** An environment variable's text; an empty or blank one counts as unset. */
function textOf(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim()
  return text === '' ? undefined : text
}

/** Finds a setting's text: the variable, the file that `<NAME>_FILE` names, or the default. */
export function readSetting(
  name: string,
  setting: Setting<unknown>,
  env: Environment,
  files: ConfigFiles,
): SettingText | ConfigFault {
  const direct = (setting.alsoAs === undefined ? undefined : textOf(env, setting.alsoAs)) ?? textOf(env, name)
  const path = hasFileForm(setting) ? textOf(env, `${name}_FILE`) : undefined
  if (direct !== undefined && path !== undefined) {
    return settingFault(name, setting, `is set, and so is ${name}_FILE; keep one of them`)
  }
  if (path !== undefined) return readSettingFile(name, path, setting, files)
  if (direct !== undefined) return { text: direct, source: 'environment' }
  if (setting.defaultText !== undefined) return { text: setting.defaultText, source: 'default' }
  return setting.required ? settingFault(name, setting, 'is missing') : { text: undefined, source: 'unset' }
}

function readSettingFile(
  name: string,
  path: string,
  setting: Setting<unknown>,
  files: ConfigFiles,
): SettingText | ConfigFault {
  const content = tryToRead(path, files)
  const example = `${name}_FILE=/run/secrets/${name.toLowerCase()}`
  if (content === undefined)
    return { name: `${name}_FILE`, problem: 'names a file that cannot be read', example }
  const text = content.trim()
  if (text !== '') return { text, source: 'file', path }
  return { ...settingFault(name, setting, 'names an empty file'), name: `${name}_FILE`, example }
}

/** A file's text, or `undefined` when it cannot be read; why is the operating system's business, and may name paths. */
export function tryToRead(path: string, files: ConfigFiles): string | undefined {
  try {
    return files.readFile(path)
  } catch {
    return undefined
  }
}
