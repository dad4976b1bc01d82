import { type RedisClient, serversOf } from '../connection/connection.ts'

/** The first Redis with everything that the gateway asks for; every Valkey has it. */
const leastVersion = [6, 2] as const
/** {@link leastVersion} as it is told. */
export const leastVersionText = leastVersion.join('.')

/** Which server it is, and of which version. */
export interface ServerVersion {
  readonly name: 'Redis' | 'Valkey'
  readonly version: string
}

/** Reads `INFO server`; `undefined` when it does not tell. */
export function readVersion(infoServer: string): ServerVersion | undefined {
  const valkey = /^valkey_version:(\d[\w.-]*)/m.exec(infoServer)?.[1]
  const redis = /^redis_version:(\d[\w.-]*)/m.exec(infoServer)?.[1]
  const version = valkey ?? redis
  return version === undefined ? undefined : { name: valkey === undefined ? 'Redis' : 'Valkey', version }
}

/** Whether the gateway works with a server. */
export function isSupported({ name, version }: ServerVersion): boolean {
  if (name === 'Valkey') return true
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > leastVersion[0] || (major === leastVersion[0] && minor >= leastVersion[1])
}

/** Completes the sentence "Redis …" for a server that is too old; `undefined` when it is not. */
export function unfitVersion(server: ServerVersion): string | undefined {
  if (isSupported(server)) return undefined
  return `${server.version} is too old: ${leastVersionText} is the least, or any Valkey`
}

/** The oldest; every Valkey's number is higher than that of a Redis that is too old. `undefined` when there is none. */
export function oldestOf(versions: readonly (ServerVersion | undefined)[]): ServerVersion | undefined {
  return versions
    .filter((version) => version !== undefined)
    .toSorted((one, other) => one.version.localeCompare(other.version, 'en', { numeric: true }))[0]
}

/** Asks each server for its version, and tells the oldest; `undefined` when our user may not ask. */
export async function askVersion(client: RedisClient): Promise<ServerVersion | undefined> {
  const answers = await Promise.allSettled(serversOf(client).map((server) => server.info('server')))
  return oldestOf(
    answers.map((answer) => (answer.status === 'fulfilled' ? readVersion(answer.value) : undefined)),
  )
}
