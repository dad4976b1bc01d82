import type { Redis } from 'ioredis'

/** How often each Redis command ran since the server started; commands inside of scripts count as well. */
export type CommandCounts = ReadonlyMap<string, number>

/** Reads `INFO commandstats`. */
export async function readCommandCounts(redis: Redis): Promise<CommandCounts> {
  const text = await redis.info('commandstats')
  const counts = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(
    ([, name, calls]) => [name ?? '', Number(calls)] as const,
  )
  return new Map(counts)
}

/** Commands of the counting itself, and the sign of life of the invalidation feed, which is the same for any load. */
const unrelated = new Set(['info', 'ping'])

/** What ran between two readings, without what does not depend on requests. */
export function commandsBetween(before: CommandCounts, after: CommandCounts): Record<string, number> {
  const ran = [...after].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)] as const)
  return Object.fromEntries(ran.filter(([name, calls]) => calls > 0 && !unrelated.has(name)))
}

/** All of them together. */
export function totalBetween(before: CommandCounts, after: CommandCounts): number {
  return Object.values(commandsBetween(before, after)).reduce((sum, calls) => sum + calls, 0)
}
