import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { sessionKeyPrefix } from '../../keys.ts'
import { invalidationChannel } from '../connection/channel.ts'
import { isForbidden } from '../health/fault.ts'

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

/** What a probe leaves behind, should the connection break, is gone after this, milliseconds. */
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

/**
 * Tries each command that the gateway uses. Any error but a denial counts as allowed, because the command was understood; a node of a
 * Cluster checks rights before it points to another node.
 */
export async function findDeniedCommands(server: Redis): Promise<readonly DeniedCommand[]> {
  // Not as long as a session's key, so that nothing ever takes it for one; the braces make one slot of all three.
  const key = `${sessionKeyPrefix}{doctor-${randomBytes(12).toString('base64url')}}`
  const [mark, index] = [`${key}:mark`, `${key}:index`]
  const undeletable = await denialOf(server, { rule: '+del', command: ['DEL', key, mark, index] })
  // What cannot be removed again is not written.
  if (undeletable !== undefined) return [{ rule: undeletable, isOptional: false }]
  const denied = new Map<string, DeniedCommand>()
  for (const probe of probesOf(key, mark, index)) {
    const rule = await denialOf(server, probe)
    if (rule !== undefined) denied.set(rule, { rule, isOptional: probe.isOptional === true })
  }
  await server.call('DEL', [key, mark, index]).catch((error: unknown) => {
    // Another node of a Cluster has the slot: nothing was written.
    if (!(error instanceof Error && error.message.startsWith('MOVED '))) throw error
  })
  if (!(await maySubscribe(server))) denied.set(channelRule, { rule: channelRule, isOptional: true })
  return [...denied.values()]
}

/** The ACL rule that is missing for a command, if one is. */
async function denialOf(server: Redis, { rule, command }: Probe): Promise<string | undefined> {
  const [name, ...args] = command
  try {
    await server.call(name, args)
    return undefined
  } catch (error) {
    if (!isForbidden(error)) return undefined
    return error instanceof Error && /\bkeys?\b/.test(error.message) ? keyRule : rule
  }
}

/** On a connection of its own, because one that has subscribed can do nothing else in RESP2. */
async function maySubscribe(server: Redis): Promise<boolean> {
  const subscriber = server.duplicate({ enableOfflineQueue: true })
  // What breaks this connection has been told by the other one.
  subscriber.on('error', () => undefined)
  try {
    await subscriber.subscribe(invalidationChannel)
    return true
  } catch (error) {
    return !isForbidden(error)
  } finally {
    subscriber.disconnect()
  }
}
