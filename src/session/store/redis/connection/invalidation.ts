import { Cluster } from 'ioredis'
import type { HostAndPort } from '../../../../config/settings/kinds/address.ts'
import type { Logger } from '../../../../telemetry/telemetry.ts'
import { createSharedListeners } from '../../../lifecycle/listeners.ts'
import type { SessionChanges } from '../../contract.ts'
import { type Channel, openChannel } from './channel.ts'
import {
  type ConnectionSettings,
  connectSingle,
  ownDeadlines,
  type RedisAddress,
  type RedisClient,
} from './connection.ts'
import { type Masters, watchTopology } from './topology.ts'

/** The invalidation feed of Redis, shared by all frontends, to be stopped at the end. */
export interface RedisChanges {
  /** The changes of one frontend's sessions, until they are closed. */
  open(frontend: string | undefined): SessionChanges & { close(): void }
  stop(): void
}

/** The key under which the only channel of a single server is kept. */
const onlyServer = 'only'

/**
 * Hears of every write to a session, by whomever: one channel to a single server or to the Sentinels' master, one to each master of a
 * Cluster. Live only while each of them proves it, and, on a Cluster, while it is certain that they are all. An interruption of the
 * feed is the loss of a channel; a channel that is merely late has lost nothing.
 */
export function createRedisChanges(address: RedisAddress, client: RedisClient, log: Logger): RedisChanges {
  const listeners = createSharedListeners()
  const channels = new Map<string, Channel>()
  let complete = !(client instanceof Cluster)
  let armed = false
  let forbidden = false
  let epoch = 0

  const reconsider = (): void => {
    const next = complete && channels.size > 0 && [...channels.values()].every((channel) => channel.isArmed())
    if (next === armed) return
    armed = next
    if (armed && forbidden) log.info('Redis allows CLIENT TRACKING again: sessions are cached')
    if (armed) forbidden = false
    epoch += 1
    log.debug(armed ? 'session changes are heard' : 'session changes are not heard; nothing is cached')
    listeners.tellAll()
  }
  const changed = (key: string | undefined): void =>
    key === undefined ? listeners.tellAll() : listeners.tellKey(key)
  const forbid = (): void => {
    if (!forbidden) log.warn('Redis does not allow CLIENT TRACKING to us: sessions are not cached')
    forbidden = true
    reconsider()
  }
  const open = (key: string, overrides: ConnectionSettings = {}): void => {
    const events = { changed, turned: reconsider, forbidden: forbid }
    channels.set(key, openChannel(connectSingle(address, { ...ownDeadlines, ...overrides }), events))
  }
  const follow = (masters: Masters): void => {
    complete = masters !== undefined
    if (masters !== undefined) adjust(channels, masters, open)
    reconsider()
  }

  const stopWatching = client instanceof Cluster ? watchTopology(client, follow) : undefined
  if (stopWatching === undefined) {
    open(onlyServer)
    // The commands may go to another server next: a master that was put in the place of one that still answers.
    client.on('close', () => channels.get(onlyServer)?.renew())
  }
  const isLive = (): boolean => {
    if (!armed) return false
    // Asked at each use: for a moment without proof nothing is used, but nothing is dropped either.
    for (const channel of channels.values()) if (!channel.isProved()) return false
    return true
  }
  return {
    open(frontend) {
      const { subscribe, close } = listeners.open(frontend)
      return { isLive, epoch: () => epoch, subscribe, close }
    },
    stop() {
      stopWatching?.()
      for (const channel of channels.values()) channel.close()
      channels.clear()
      reconsider()
    },
  }
}

/** Opens the channels that are missing and closes those of servers that are no longer masters. */
function adjust(
  channels: Map<string, Channel>,
  masters: readonly HostAndPort[],
  open: (key: string, overrides: ConnectionSettings) => void,
): void {
  const wanted = new Map(masters.map((master) => [`${master.host}:${master.port}`, master]))
  for (const [key, channel] of channels) {
    if (wanted.has(key)) continue
    channel.close()
    channels.delete(key)
  }
  for (const [key, { host, port }] of wanted) if (!channels.has(key)) open(key, { host, port })
}
