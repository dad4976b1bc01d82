import type { Config } from '../../../config/load-config.ts'
import type { RedisFault } from '../../../session/store/redis/health/fault.ts'

/** What to do about a fault where it does not matter how Redis is reached. */
const redisFixes: Readonly<Record<string, string>> = {
  'is a read-only replica': 'Point REDIS_URL at the master, or use REDIS_SENTINELS.',
  'is one node of a Cluster': 'Use REDIS_CLUSTER_NODES, not REDIS_URL.',
  'is no Cluster': 'Use REDIS_URL, not REDIS_CLUSTER_NODES.',
  'does not answer in time':
    'See what keeps it busy (slow commands, swapping), or what is in the way to it (a firewall).',
  'is out of memory': 'Give Redis more memory (maxmemory).',
  'cannot save to disk': "Look into Redis' log: its disk is full, or not writable.",
  'has too few replicas': 'Bring its replicas back, or lower min-replicas-to-write.',
  'has a part of its cluster down': 'Bring the missing masters back: CLUSTER NODES names them.',
}

/** Completes what to do, for a way to Redis. */
interface Way {
  readonly where: string
  readonly passwords: string
  readonly rights: string
}

const single: Way = {
  where: 'REDIS_URL is right',
  passwords: 'user and password in REDIS_URL, or REDIS_USERNAME and REDIS_PASSWORD',
  rights: '+select, for a database other than 0',
}
const sentinels: Way = {
  where: 'REDIS_SENTINELS and REDIS_SENTINEL_MASTER are right',
  passwords:
    'REDIS_USERNAME and REDIS_PASSWORD, or for the Sentinels REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD',
  rights: '+sentinel|get-master-addr-by-name and +sentinel|sentinels, to the user of the Sentinels',
}
const cluster: Way = {
  where:
    'REDIS_CLUSTER_NODES is right, and each node runs and can be reached from here by the address that it announces',
  passwords: 'REDIS_USERNAME and REDIS_PASSWORD: each node has its own list of users',
  rights: '+cluster|slots and +cluster|info, on each node',
}

function wayOf({ redisUrl, redisSentinels }: Config): Way {
  if (redisUrl !== undefined) return single
  return redisSentinels === undefined ? cluster : sentinels
}

/** What to do about a fault of Redis, in the settings' own names. */
export function fixFor({ reason }: RedisFault, config: Config): string {
  const { where, passwords, rights } = wayOf(config)
  if (reason === 'refuses our password') return `Correct ${passwords}.`
  if (reason === 'denies our user a command') return `Grant what it takes to connect: ${rights}.`
  return redisFixes[reason] ?? `See whether ${where}.`
}
