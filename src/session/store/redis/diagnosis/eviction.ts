import type { Logger } from '../../../../telemetry/telemetry.ts'
import { type RedisClient, serversOf } from '../connection/connection.ts'

/** Whether a server's `INFO memory` says that it may throw sessions away when memory is short. */
export function mayEvict(infoMemory: string): boolean {
  const policy = /^maxmemory_policy:(\S+)/m.exec(infoMemory)?.[1] ?? 'noeviction'
  const limit = /^maxmemory:(\d+)/m.exec(infoMemory)?.[1] ?? '0'
  // Without a limit nothing is ever evicted, whatever the policy.
  return policy !== 'noeviction' && limit !== '0'
}

/** For `/readyz` and the log. */
export const evictionNote =
  'Redis may evict sessions when its memory is short: set maxmemory-policy to noeviction.'

/**
 * Asks every server whether it may evict sessions, and warns. A server that does not tell is taken to be well configured.
 */
export async function checkEviction(client: RedisClient, log: Logger): Promise<boolean> {
  const answers = await Promise.allSettled(serversOf(client).map((server) => server.info('memory')))
  const found = answers.some((answer) => answer.status === 'fulfilled' && mayEvict(answer.value))
  if (found) log.warn(evictionNote)
  return found
}
