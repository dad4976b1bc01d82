import { readFileSync } from 'node:fs'
import { parseDotenv } from '../config/dotenv.ts'
import type { Environment } from '../config/environment.ts'
import { CommandError } from './command.ts'

/**
 * The environment with the working directory's `.env` beneath it: real variables win, even empty ones.
 *
 * @throws CommandError when there is a `.env` that cannot be read
 */
export function readEnvironment(real: Environment, path = '.env'): Environment {
  const text = readIfPresent(path)
  return text === undefined ? real : { ...parseDotenv(text), ...real }
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
