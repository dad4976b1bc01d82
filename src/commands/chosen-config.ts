import type { Environment } from '../config/environment.ts'
import { findFrontendEnvironment } from '../config/frontends/frontend-environment.ts'
import { hasFrontendsFile, loadHouse } from '../config/frontends/load-house.ts'
import { type Config, loadConfig } from '../config/load-config.ts'
import { CommandError, UsageError } from './command.ts'

/**
 * Takes `--frontend NAME` out of a command's arguments.
 *
 * @throws UsageError when the name is missing, or there twice
 */
export function takeFrontend(given: readonly string[]): {
  readonly frontend: string | undefined
  readonly rest: readonly string[]
} {
  const rest: string[] = []
  let frontend: string | undefined
  for (let at = 0; at < given.length; at++) {
    const argument = given[at] ?? ''
    if (argument !== '--frontend' && !argument.startsWith('--frontend=')) {
      rest.push(argument)
      continue
    }
    if (argument === '--frontend') at += 1
    const name = argument === '--frontend' ? given[at] : argument.slice('--frontend='.length)
    if (name === undefined || name === '' || frontend !== undefined) {
      throw new UsageError('--frontend takes the name of one frontend')
    }
    frontend = name
  }
  return { frontend, rest }
}

/**
 * Every configuration that a command is about: the one of the environment, or those of the frontends file, or the named one of them.
 *
 * @throws ConfigError, CommandError when there is none of that name
 */
export function chosenConfigs(
  env: Environment,
  frontend: string | undefined,
): readonly [Config, ...Config[]] {
  if (!hasFrontendsFile(env)) {
    if (frontend !== undefined)
      throw new CommandError('--frontend needs FRONTENDS_FILE, which names frontends')
    return [loadConfig(env)]
  }
  const configs = loadHouse(env).frontends.map(({ config }) => config)
  const [first, ...others] =
    frontend === undefined ? configs : configs.filter((one) => one.frontend === frontend)
  if (first !== undefined) return [first, ...others]
  const names = configs.map((config) => config.frontend).join(', ')
  throw new CommandError(`there is no frontend ${JSON.stringify(frontend)}; there are ${names}`)
}

/**
 * The one configuration that a command is about.
 *
 * @throws ConfigError, CommandError when a frontend must be named
 */
export function chosenConfig(env: Environment, frontend: string | undefined): Config {
  const [config, ...others] = chosenConfigs(env, frontend)
  if (others.length === 0) return config
  const names = [config, ...others].map((one) => one.frontend).join(', ')
  throw new CommandError(`say which with --frontend: ${names}`)
}

/** The settings of a frontend as an environment, the process's included. */
export function chosenEnvironment(env: Environment, { frontend }: Config): Environment {
  return frontend === undefined ? env : findFrontendEnvironment(env, frontend)
}
