import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { findCommand, installPackage, tryCommand } from '../commands.ts'

/** An image whose server runs on most Linux machines, not only inside a container. */
const image = 'redis:8-bookworm'

const noRedis =
  'The tests need a Redis server of their own: put redis-server or valkey-server on the PATH, start Docker, or run them as root on Debian or Ubuntu.'

/** The Redis or Valkey server of this machine, if it has one. */
export function findRedisServer(): string | undefined {
  return findCommand('redis-server', 'valkey-server')
}

/**
 * Sees to it that there is a Redis server that tests can start, kill and freeze: the machine's, else one copied out of a Docker image, else
 * one installed with apt.
 *
 * @returns ends what was made for it
 * @throws Error when there is no way to one
 */
export function ensureRedisServer(): () => void {
  const nothing = (): void => undefined
  if (findRedisServer() !== undefined) return nothing
  const folder = copyFromDocker()
  if (folder !== undefined) return () => rmSync(folder, { recursive: true, force: true })
  installPackage('redis-server')
  if (findRedisServer() !== undefined) return nothing
  throw new Error(noRedis)
}

/** Puts the server of a Docker image on the PATH; its folder, or `undefined` without Docker or when it does not run here. */
function copyFromDocker(): string | undefined {
  const container = tryCommand('docker', ['create', image])
  if (container === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'coatcheck-redis-server-'))
  const file = join(folder, 'redis-server')
  tryCommand('docker', ['cp', `${container}:/usr/local/bin/redis-server`, file])
  tryCommand('docker', ['rm', container])
  if (tryCommand(file, ['--version']) === undefined) {
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }
  process.env.PATH = `${folder}${delimiter}${process.env.PATH ?? ''}`
  return folder
}
