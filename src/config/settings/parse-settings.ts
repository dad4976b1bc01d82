import type { ConfigFault } from '../config-error.ts'
import { type ConfigFiles, type Environment, readSetting, settingFault } from '../environment.ts'
import { isQuoted, isServiceAddress } from '../lookalikes.ts'
import { withProfile } from './profile.ts'
import { fieldName, type Setting, type SettingScope, ValueFault } from './setting.ts'
import { type ProcessSettings, type SettingValues, settingRows } from './settings.ts'

/** A thousand frontends read every setting: the fields are named once. */
const rows = settingRows.map(([name, setting]) => ({ name, setting, field: fieldName(name) }))

/**
 * Parses every setting of the table, and gathers what is wrong instead of stopping at it.
 *
 * @param scope only settings of this scope; `undefined`: all
 * @param known values that were read before
 */
export function parseSettings(
  given: Environment,
  files: ConfigFiles,
  scope?: SettingScope,
  known?: ProcessSettings,
) {
  const env = withProfile(given)
  const values: Record<string, unknown> = { ...known }
  const faults: ConfigFault[] = []
  const faultyNames = new Set<string>()
  const settingFiles: Record<string, string> = {}
  for (const { name, setting, field } of rows) {
    if (scope !== undefined && setting.scope !== scope) continue
    const parsed = parseSetting(name, setting, env, files)
    if ('fault' in parsed) {
      faults.push(parsed.fault)
      faultyNames.add(name)
      // The default stands in, so that what depends on the setting can still be checked.
      if (setting.defaultText !== undefined) values[field] = setting.parse(setting.defaultText)
    } else {
      values[field] = parsed.value
      if (parsed.path !== undefined) settingFiles[name] = parsed.path
    }
  }
  // The table has one row for each field, which the type says and a loop cannot.
  return { values: values as unknown as SettingValues, faults, faultyNames, settingFiles }
}

type Parsed =
  | { readonly value: unknown; readonly path?: string | undefined }
  | { readonly fault: ConfigFault }

function parseSetting(name: string, setting: Setting<unknown>, env: Environment, files: ConfigFiles): Parsed {
  const found = readSetting(name, setting, env, files)
  if ('problem' in found) return { fault: found }
  return { ...parseText(name, setting, found.text), path: found.path }
}

/** The value of a setting's text, or what is wrong with it. */
export function parseText(name: string, setting: Setting<unknown>, text: string | undefined): Parsed {
  if (text === undefined) return { value: undefined }
  try {
    return { value: setting.parse(text) }
  } catch (error) {
    if (!(error instanceof ValueFault)) throw error
    return { fault: settingFault(name, setting, `${error.message}${hintOf(text)}`) }
  }
}

/** What a text that is no value probably is. */
function hintOf(text: string): string {
  if (isServiceAddress(text)) {
    return '; Kubernetes writes such a variable for a service of that name: rename the service, or set enableServiceLinks: false in the pod'
  }
  if (isQuoted(text))
    return '; its quotation marks are part of the value (docker --env-file keeps them): leave them out'
  return /\s#/.test(text)
    ? '; the comment behind # is part of the value (docker --env-file keeps it): leave it out'
    : ''
}
