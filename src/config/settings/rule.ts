import type { CamelCase } from './setting.ts'
import type { SettingValues, settings } from './settings.ts'

type SettingName = keyof typeof settings

/** A rule across settings. It is asked only when all the settings that it reads could be parsed. */
export interface ConfigRule {
  /** The settings that the rule reads; its fault is reported under the first. */
  readonly reads: readonly [SettingName, ...SettingName[]]
  /** The end of a sentence that begins with the first name, or `undefined` when all is well. */
  readonly check: (values: SettingValues) => string | undefined
}

/** A rule that is handed no more than the settings that it names. */
export function rule<const Names extends readonly [SettingName, ...SettingName[]]>(
  reads: Names,
  check: (values: Pick<SettingValues, CamelCase<Names[number]> & keyof SettingValues>) => string | undefined,
): ConfigRule {
  return { reads, check }
}
