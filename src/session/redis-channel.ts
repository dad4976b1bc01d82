import type { Redis } from 'ioredis'
import { isForbidden } from './redis-fault.ts'
import { hashOfSessionKey, sessionKeyPrefix } from './session-keys.ts'

/** Redis publishes invalidations of redirected connections here. */
const invalidationChannel = '__redis__:invalidate'
/** With the command deadline of 500 ms a dead link is known 1.5 s after its last sign of life at the latest. */
const pingIntervalMs = 1_000

/** Who listens to a channel. */
export interface ChannelEvents {
  /** A session was written or ended; `undefined`: all of them may have been (FLUSHALL). */
  readonly changed: (h: string | undefined) => void
  /** The channel was armed or lost. */
  readonly turned: () => void
  /** The server does not allow tracking; the channel is closed for good. */
  readonly forbidden: () => void
}

/** One server's invalidations of sessions. */
export interface Channel {
  /** Whether every change at this server is certain to be heard. */
  isLive(): boolean
  close(): void
}

/**
 * Listens to one server over a connection of its own: `CLIENT TRACKING` in broadcast mode, redirected to the connection itself. The
 * server forgets it with the connection, so it is armed anew at each `ready`.
 *
 * @param client a RESP2 connection that nothing else uses
 */
export function openChannel(client: Redis, events: ChannelEvents): Channel {
  let live = false
  let connection = 0
  const turn = (next: boolean): void => {
    if (live === next) return
    live = next
    events.turned()
  }
  const giveUp = (error: unknown): void => {
    turn(false)
    if (isForbidden(error)) {
      close()
      events.forbidden()
    } else client.disconnect(true)
  }
  const connected = (): void => {
    connection += 1
    const mine = connection
    arm(client).then(
      () => turn(mine === connection),
      (error: unknown) => (mine === connection ? giveUp(error) : undefined),
    )
  }
  const lost = (): void => {
    connection += 1
    turn(false)
  }
  const ping = (): void => {
    if (live) client.ping().catch(giveUp)
  }
  const timer = setInterval(ping, pingIntervalMs).unref()
  const close = (): void => {
    clearInterval(timer)
    client.disconnect()
  }
  client.on('ready', connected)
  client.on('close', lost)
  // The connection that carries the commands reports what is wrong with Redis; this one only has to know that it is lost.
  client.on('error', lost)
  client.on('messageBuffer', (_channel: Buffer, keys: unknown) => tell(keys, events.changed))
  return { isLive: () => live, close }
}

/** Before SUBSCRIBE, because a RESP2 connection that has subscribed may send nothing else. */
async function arm(client: Redis): Promise<void> {
  const id = await client.client('ID')
  await client.client('TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', sessionKeyPrefix)
  await client.subscribe(invalidationChannel)
}

const hashOf = (key: unknown): string | undefined => hashOfSessionKey(String(key))

/** A message is a list of keys, or nothing when the whole database was flushed. */
function tell(untrustedKeys: unknown, changed: ChannelEvents['changed']): void {
  if (!Array.isArray(untrustedKeys)) changed(undefined)
  else for (const h of untrustedKeys.map(hashOf)) if (h !== undefined) changed(h)
}
