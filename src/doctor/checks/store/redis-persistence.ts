import type { RedisServerFacts } from '../../../session/store/redis/diagnosis/facts.ts'
import type { Check } from '../../check.ts'
import { pass, warn } from '../../finding.ts'
import { expectTold, infoField, redisAnswers } from '../../probes/redis-answers.ts'

/** A restart of Redis signs nobody out. */
export const redisPersistenceCheck: Check = {
  id: 'redis.persistence',
  async examine(context) {
    const { servers } = await redisAnswers(context)
    const kinds = servers.map(kindOf)
    if (kinds.includes('failing'))
      return warn(
        'Redis cannot save its data; soon it will refuse writes.',
        "Look into Redis' log: its disk is full, or not writable.",
      )
    if (kinds.includes('none'))
      return warn(
        'Redis saves nothing: a restart of it signs everybody out.',
        'Turn on appendonly (or save), or add a replica that takes over.',
      )
    if (kinds.includes('snapshots'))
      return warn(
        'Redis saves snapshots only: a crash of it brings back sessions that were ended since the last one, and refresh tokens that are spent.',
        'Turn on appendonly, with appendfsync always where an ended session must never come back.',
      )
    expectTold(kinds, 'about its persistence')
    return pass('Redis writes an append-only file.')
  },
}

function kindOf({
  persistence,
  savePoints,
}: RedisServerFacts): 'log' | 'snapshots' | 'none' | 'failing' | undefined {
  const statuses = ['rdb_last_bgsave_status', 'aof_last_write_status'].map((name) =>
    infoField(persistence, name),
  )
  if (statuses.includes('err')) return 'failing'
  if (infoField(persistence, 'aof_enabled') === '1') return 'log'
  if (persistence === '' || savePoints === undefined) return undefined
  return savePoints === '' ? 'none' : 'snapshots'
}
