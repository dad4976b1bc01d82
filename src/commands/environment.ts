import { readFileSync } from 'node:fs'
import { parseDotenv } from '../config/dotenv.ts'
import type { Environment } from '../config/environment.ts'
import { formsOf, type Setting } from '../config/settings/setting.ts'
import { settingRows } from '../config/settings/settings.ts'
import { CommandError } from './command.ts'

/**
 * The environment with the working directory's `.env` beneath it: real variables win, even empty ones. They win over the other forms of their
 * setting too: `CLIENT_SECRET_FILE` of the environment over `CLIENT_SECRET` of the file, `HTTPS_PROXY` over `https_proxy`.
 *
 * @throws CommandError when there is a `.env` that cannot be read
 */
export function readEnvironment(real: Environment, path = '.env'): Environment {
  const text = readIfPresent(path)
  return text === undefined ? real : { ...beneath(parseDotenv(text), real), ...real }
}

/** What `.env` says, but for settings that the environment gives in another form. */
function beneath(written: Environment, real: Environment): Environment {
  const decided = new Set(
    settingRows.flatMap(([name, setting]) => (isDecided(name, setting, real) ? formsOf(name, setting) : [])),
  )
  return Object.fromEntries(Object.entries(written).filter(([name]) => !decided.has(name)))
}

/** An empty variable takes the setting away; an empty name of a file only says that there is none. */
function isDecided(name: string, setting: Setting<unknown>, real: Environment): boolean {
  return formsOf(name, setting).some((form) =>
    form === `${name}_FILE` ? (real[form] ?? '').trim() !== '' : real[form] !== undefined,
  )
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    if (code === 'ENOENT') return undefined
    throw new CommandError(`${path} cannot be read (${String(code)})`)
  }
}
