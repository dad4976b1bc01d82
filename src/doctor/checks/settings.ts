import type { ConfigFault } from '../../config/config-error.ts'
import type { Environment } from '../../config/environment.ts'
import type { Config } from '../../config/load-config.ts'
import { findLookalikes } from '../../config/lookalikes.ts'
import { settingRows } from '../../config/settings/settings.ts'
import { configWarnings } from '../../config/warnings.ts'
import { type Finding, fail, pass, warn } from '../finding.ts'

/** The id of this check in the report. It is no row: what it finds decides whether there is anything else to examine. */
export const settingsCheckId = 'settings'

/** Each fault of the settings, as `start` would report it. */
export function describeFaults(faults: readonly ConfigFault[]): readonly Finding[] {
  return faults.map(({ name, problem, example }) => ({
    ...fail(`${name} ${problem}.`, example ?? `Correct ${name}.`),
    subject: name,
  }))
}

/** What is said of settings without a fault. */
export function describeSettings(config: Config, env: Environment): readonly Finding[] {
  const warnings = [...findLookalikes(env), ...configWarnings(config)]
  if (warnings.length === 0) return [pass(`All ${settingRows.length} settings are in order.`)]
  return warnings.map((line) => {
    const [problem = line, advice = 'See docs/configuration.md.'] = line.split('; ')
    return warn(`${problem}.`, sentence(advice))
  })
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?]$/.test(text) ? '' : '.'}`
}
