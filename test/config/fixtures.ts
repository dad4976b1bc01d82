import { ConfigError, type ConfigFault } from '../../src/config/config-error.ts'
import type { ConfigFiles, Environment } from '../../src/config/environment.ts'
import { type Config, loadConfig } from '../../src/config/load-config.ts'

/** The least that a gateway needs. */
export const minimalEnv: Environment = {
  ISSUER_URL: 'https://tenant.example.com/',
  CLIENT_ID: 'client',
  CLIENT_SECRET: 'client-secret',
  API_AUDIENCE: 'https://api.example.com',
  API_URL: 'http://api:8080/v1',
  BASE_URL: 'https://app.example.com',
  SESSION_SECRET: 'abcdefghijklmnopqrstuvwxyz012345',
}

/** Files that exist only in the test. */
export function filesOf(contents: Readonly<Record<string, string>>): ConfigFiles {
  return {
    readFile: (path) => {
      const content = contents[path]
      if (content === undefined) throw new Error(`ENOENT ${path}`)
      return content
    },
  }
}

export function load(env: Environment = {}, contents: Readonly<Record<string, string>> = {}): Config {
  return loadConfig({ ...minimalEnv, ...env }, filesOf(contents))
}

/** The faults of an environment on top of the minimal one; none when it is accepted. */
export function faultsOf(
  env: Environment,
  contents: Readonly<Record<string, string>> = {},
): readonly ConfigFault[] {
  try {
    load(env, contents)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults
  }
}

export function faultyNames(
  env: Environment,
  contents?: Readonly<Record<string, string>>,
): readonly string[] {
  return faultsOf(env, contents).map(({ name }) => name)
}

export const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'
export const privateKey = '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----'
