import { isLoopback } from '../../../config/settings/kinds/address.ts'
import { usesRedis } from '../../../config/settings/rules.ts'
import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'

/** A round trip that an uncached request would feel, milliseconds. */
const slowMs = 20

/** Sessions are kept where they survive, and Redis answers quickly and under TLS. */
export const sessionStoreCheck: Check = {
  id: 'session-store',
  async examine(context) {
    const { config } = context
    if (!usesRedis(config)) return describeMemory(isLoopback(config.baseUrl))
    const found = await context.redis()
    if ('fault' in found) {
      const { reason, cause } = found.fault
      return fail(
        `Redis ${reason} (${cause}).`,
        redisFixes[reason] ?? `See whether ${addressSettings(config)} is right.`,
      )
    }
    const latency = `${found.latencyMs.toFixed(1)} ms`
    if (found.latencyMs > slowMs)
      return warn(
        `Redis answers in ${latency}, which every request that is not cached waits for.`,
        'Run Redis near the gateway: the same zone, no tunnel.',
      )
    return describeTransport(config, latency)
  },
}

function describeMemory(isLocal: boolean): Finding {
  const summary =
    "Sessions are kept in this process's memory: a restart ends them all, and only one process can run."
  const fix = 'Set REDIS_URL, and SESSION_STORE=redis so that it is never forgotten.'
  return isLocal ? warn(summary, fix) : fail(summary, fix)
}

const redisFixes: Readonly<Record<string, string>> = {
  'refuses our password': 'Correct user and password in REDIS_URL, or REDIS_USERNAME and REDIS_PASSWORD.',
  'is a read-only replica': 'Point REDIS_URL at the master, or use REDIS_SENTINELS.',
  'is out of memory': 'Give Redis more memory (maxmemory).',
  'cannot save to disk': "Look into Redis' log: its disk is full, or not writable.",
}

function addressSettings(config: DoctorContext['config']): string {
  if (config.redisUrl !== undefined) return 'REDIS_URL'
  return config.redisSentinels === undefined ? 'REDIS_CLUSTER_NODES' : 'REDIS_SENTINELS'
}

function isOnThisMachine(redisUrl: string): boolean {
  const url = URL.parse(redisUrl)
  return url?.protocol === 'unix:' || (url !== null && isLoopback(url))
}

function describeTransport(config: DoctorContext['config'], latency: string): Finding {
  const isSafe = config.redisTls || config.redisUrl?.startsWith('rediss:') === true
  if (isSafe) return pass(`Redis answers in ${latency}, over TLS.`)
  if (config.redisUrl !== undefined && isOnThisMachine(config.redisUrl))
    return pass(`Redis answers in ${latency}, on this machine.`)
  return warn(
    `Redis answers in ${latency}, without TLS: its password is sent in the clear, and answers could be forged.`,
    config.redisUrl === undefined
      ? 'REDIS_TLS=on'
      : 'Write rediss:// in REDIS_URL, unless the network is yours alone.',
  )
}
