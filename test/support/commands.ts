import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where the first of these commands stands on the PATH, if any does. */
export function findCommand(...names: readonly string[]): string | undefined {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name)
      if (isExecutable(path)) return path
    }
  }
  return undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Runs a command to its end. Resolves to what it printed, or `undefined` when it is not there or failed. */
export function tryCommand(name: string, args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(name, args, { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

/** Installs a package with apt: as root on Debian or Ubuntu; does nothing anywhere else. */
export function installPackage(name: string): void {
  if (process.getuid?.() !== 0 || findCommand('apt-get') === undefined) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args: readonly string[]): boolean =>
    spawnSync('apt-get', ['-qq', ...args], { env, stdio: 'ignore' }).status === 0
  const install = (): boolean => apt('install', '-y', '--no-install-recommends', name)
  if (!install() && apt('update')) install()
}
