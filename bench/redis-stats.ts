import type { Redis } from 'ioredis'

/** How often each Redis command ran since the server started. */
export type CommandCounts = ReadonlyMap<string, number>

/** Commands of the measurement itself. */
const ownCommands = new Set(['info'])

/** Reads `INFO commandstats`. */
export async function readCommandCounts(redis: Redis): Promise<CommandCounts> {
  const text = await redis.info('commandstats')
  const counts = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(
    ([, name, calls]) => [name ?? '', Number(calls)] as const,
  )
  return new Map(counts.filter(([name]) => !ownCommands.has(name)))
}

/** How many commands ran between two readings, all together. */
export function commandsBetween(before: CommandCounts, after: CommandCounts): number {
  return [...after].reduce((sum, [name, calls]) => sum + calls - (before.get(name) ?? 0), 0)
}
