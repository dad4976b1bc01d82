import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const serverNames = ['redis-server', 'valkey-server']

function onPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not in this folder.
    }
  }
  return undefined
}

/** The Redis or Valkey server of this machine, if it has one. */
export function findRedisServer(): string | undefined {
  return serverNames.map(onPath).find((path) => path !== undefined)
}

/** Installs a Redis server with apt, as root on Debian or Ubuntu; `undefined` anywhere else. */
export function installRedisServer(): string | undefined {
  if (process.getuid?.() !== 0 || onPath('apt-get') === undefined) return undefined
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args: readonly string[]): boolean =>
    spawnSync('apt-get', ['-qq', ...args], { env, stdio: 'ignore' }).status === 0
  const install = (): boolean => apt('install', '-y', '--no-install-recommends', 'redis-server')
  if (!install() && apt('update')) install()
  return findRedisServer()
}
