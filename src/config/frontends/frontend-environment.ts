import { type Environment, tryToRead } from '../environment.ts'
import { diskFiles } from '../load-config.ts'
import { filePath } from '../settings/kinds/address.ts'
import { formsOf } from '../settings/setting.ts'
import { settingRows } from '../settings/settings.ts'
import { readYaml } from '../yaml/source.ts'
import { frontendEnvironment, writtenFrontends } from './written.ts'

/**
 * The settings that one frontend has in effect, as an environment: its own, the defaults, and the process's. For showing them; a file with
 * faults was refused before.
 */
export function findFrontendEnvironment(env: Environment, frontend: string): Environment {
  const file = filePath((env.FRONTENDS_FILE ?? '').trim())
  const written = writtenFrontends(readYaml(tryToRead(file, diskFiles) ?? '').value)
  const own = written.find(({ name }) => name === frontend)
  if (own === undefined) return env
  const process = settingRows.flatMap(([name, setting]) =>
    setting.scope === 'process' ? formsOf(name, setting) : [],
  )
  return {
    ...Object.fromEntries(process.map((name) => [name, env[name]])),
    ...frontendEnvironment(own, { ...env, BASE_URL: undefined }, file).env,
  }
}
