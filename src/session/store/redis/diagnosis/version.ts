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
function readVersion(infoServer: string): ServerVersion | undefined {
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

/** The least of what several replies to `INFO server` tell; `undefined` when none does. */
export function leastFit(infos: readonly string[]): ServerVersion | undefined {
  const versions = infos.map(readVersion).filter((version) => version !== undefined)
  return versions.toSorted((one, other) => fitness(one) - fitness(other))[0]
}

/** Servers that are refused come before all others, and those before newer ones. */
function fitness(server: ServerVersion): number {
  return isSupported(server) ? Number.parseInt(server.version, 10) : 0
}

/** Asks each server for its version, and tells the least of them; `undefined` when our user may not ask. */
export async function askVersion(client: RedisClient): Promise<ServerVersion | undefined> {
  return leastFit(await Promise.all(serversOf(client).map((server) => server.info('server').catch(() => ''))))
}
