import type { Redis } from 'ioredis'
import { sessionKeyPrefix } from '../../keys.ts'
import { invalidationChannel } from '../connection/channel.ts'
import { isAboutCommand, isForbidden } from '../health/fault.ts'
import { findOwnKey, isMoved } from './own-key.ts'

/** A command that our user may not use. */
export interface DeniedCommand {
  /** As an ACL rule writes it: `client|tracking`; or a key or channel pattern. */
  readonly rule: string
  /** Whether the gateway works without it, only slower or less watchful. */
  readonly isOptional: boolean
}

interface Probe {
  /** The ACL rule that allows it. */
  readonly rule: string
  readonly command: readonly [string, ...string[]]
  readonly isOptional?: true
}

/** What a probe writes is gone after this, even where it is not removed, milliseconds. */
const probeTtlMs = '1000'
const channelRule = `&${invalidationChannel}`
const keyRule = '~coatcheck:*'

/** Everything that the store does, once each, with keys that are no session's. */
function probesOf(key: string, mark: string, index: string): readonly Probe[] {
  return [
    { rule: '+set', command: ['SET', mark, '1', 'PX', probeTtlMs] },
    { rule: '+get', command: ['GET', mark] },
    { rule: '+incr', command: ['INCR', mark] },
    { rule: '+exists', command: ['EXISTS', key] },
    { rule: '+hset', command: ['HSET', key, 't', '0'] },
    { rule: '+pexpire', command: ['PEXPIRE', key, probeTtlMs] },
    { rule: '+pttl', command: ['PTTL', key] },
    { rule: '+hget', command: ['HGET', key, 't'] },
    { rule: '+hmget', command: ['HMGET', key, 't'] },
    { rule: '+zadd', command: ['ZADD', index, '0', 'probe'] },
    { rule: '+pexpire', command: ['PEXPIRE', index, probeTtlMs] },
    { rule: '+zrange', command: ['ZRANGE', index, '0', '-1', 'WITHSCORES'] },
    { rule: '+zrangebyscore', command: ['ZRANGEBYSCORE', index, '-inf', '(0'] },
    { rule: '+zrem', command: ['ZREM', index, 'probe'] },
    { rule: '+time', command: ['TIME'] },
    { rule: '+ping', command: ['PING'] },
    { rule: '+eval', command: ['EVAL', "return redis.call('EXISTS', KEYS[1])", '1', key] },
    { rule: '+evalsha', command: ['EVALSHA', '0'.repeat(40), '1', key] },
    {
      rule: '+scan',
      command: ['SCAN', '0', 'MATCH', `${sessionKeyPrefix}*`, 'COUNT', '1'],
      isOptional: true,
    },
    { rule: '+info', command: ['INFO', 'memory'], isOptional: true },
    { rule: '+client|id', command: ['CLIENT', 'ID'], isOptional: true },
    // OFF changes nothing: this connection must not begin to receive invalidations.
    { rule: '+client|tracking', command: ['CLIENT', 'TRACKING', 'OFF'], isOptional: true },
  ]
}

/** What the gateway asks the masters of a Cluster besides. */
const clusterProbes: readonly Probe[] = [
  { rule: '+cluster|slots', command: ['CLUSTER', 'SLOTS'] },
  { rule: '+cluster|info', command: ['CLUSTER', 'INFO'] },
]

/**
 * Tries each command that the gateway uses. An error that is about the command alone, and no denial, counts as allowed, because the
 * command was understood; a node of a Cluster checks rights before it points to another node.
 *
 * @param isMaster whether the server is one of a Cluster, which has some of the slots
 * @returns rejects when the server is in no state to carry out all commands, or the connection breaks
 */
export async function findDeniedCommands(
  server: Redis,
  isMaster: boolean,
): Promise<readonly DeniedCommand[]> {
  const key = await findOwnKey(server, isMaster)
  const [mark, index] = [`${key}:mark`, `${key}:index`]
  const removal: Probe = { rule: '+del', command: ['DEL', key, mark, index] }
  const [undeletable] = await denialsOf(server, [removal])
  // What cannot be removed again is not written.
  if (undeletable !== undefined) return [{ rule: undeletable, isOptional: false }]
  const probes = [...probesOf(key, mark, index), ...(isMaster ? clusterProbes : []), removal]
  const rules = await denialsOf(server, probes)
  const denied = new Map<string, DeniedCommand>()
  for (const [at, rule] of rules.entries())
    if (rule !== undefined) denied.set(rule, { rule, isOptional: probes[at]?.isOptional === true })
  const unheard = await subscriptionDenial(server)
  if (unheard !== undefined) denied.set(unheard, { rule: unheard, isOptional: true })
  return [...denied.values()]
}

/**
 * The ACL rules that are missing for some commands, if they are. All are sent at once: wherever the connection breaks or the server stops,
 * what was to be written is also to be removed.
 */
async function denialsOf(server: Redis, probes: readonly Probe[]): Promise<readonly (string | undefined)[]> {
  const answers = await server.pipeline(probes.map(({ command }) => ['call', ...command])).exec()
  return probes.map(({ rule }, at) => {
    const [error] = answers?.[at] ?? [new Error('no answer')]
    const denial = denialIn(error)
    if (denial === undefined) return undefined
    return /\bkeys?\b/.test(denial) ? keyRule : rule
  })
}

/**
 * What a server says to deny a command; `undefined` when it does not.
 *
 * @throws the error, when it is not about the command alone
 */
function denialIn(error: unknown): string | undefined {
  // A node that has given the slot away meanwhile has checked the rights before.
  if (error === null || error === undefined || isMoved(error)) return undefined
  if (!isAboutCommand(error)) throw error
  return error instanceof Error && isForbidden(error) ? error.message : undefined
}

/** Sentinels that do not answer are tried first, perhaps; a silent socket is closed later, which would tell less; milliseconds. */
const subscribeTimeoutMs = 1_500

/** The rule that is missing to subscribe. On a connection of its own, because one that has subscribed can do nothing else in RESP2. */
async function subscriptionDenial(server: Redis): Promise<string | undefined> {
  const subscriber = server.duplicate({ enableOfflineQueue: true, commandTimeout: subscribeTimeoutMs })
  // What breaks this connection rejects the command, too.
  subscriber.on('error', () => undefined)
  try {
    await subscriber.subscribe(invalidationChannel)
    return undefined
  } catch (error) {
    const denial = denialIn(error)
    if (denial === undefined) return undefined
    return /\bchannels?\b/.test(denial) ? channelRule : '+subscribe'
  } finally {
    subscriber.disconnect()
  }
}
