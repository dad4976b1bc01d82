import type { Config } from '../../../config/load-config.ts'
import { authorityOf, type HostAndPort, isLoopback } from '../../../config/settings/kinds/address.ts'
import { usesRedis } from '../../../config/settings/rules.ts'
import type { Check } from '../../check.ts'
import { type Finding, fail, pass, warn } from '../../finding.ts'
import { plainText } from '../../plain-text.ts'
import { infoField } from '../../probes/redis-answers.ts'
import { fixFor } from './redis-fixes.ts'

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
      return fail(`${nameOf(found.place)} ${reason} (${cause}).`, fixFor(found.fault, config))
    }
    if (found.servers.some(({ server }) => infoField(server, 'redis_mode') === 'sentinel'))
      return fail(
        'What answers is a Sentinel, which keeps no sessions.',
        'Use REDIS_SENTINELS, not REDIS_URL.',
      )
    const latencyMs = Math.max(...found.servers.map((server) => server.latencyMs))
    const latency = `${latencyMs.toFixed(1)} ms`
    if (latencyMs > slowMs)
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

function nameOf(place: HostAndPort | undefined): string {
  return place === undefined ? 'Redis' : `Redis at ${plainText(authorityOf(place))}`
}

function isOnThisMachine(redisUrl: string): boolean {
  const url = URL.parse(redisUrl)
  return url?.protocol === 'unix:' || (url !== null && isLoopback(url))
}

function describeTransport(config: Config, latency: string): Finding {
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
