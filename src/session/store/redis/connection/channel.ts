import type { Redis } from 'ioredis'
import { sessionKeyPrefix } from '../../keys.ts'
import { createDeadlines } from '../deadlines.ts'
import { isForbidden } from '../health/fault.ts'
import { commandTimeoutMs } from './connection.ts'

/** Redis publishes invalidations of redirected connections here. */
export const invalidationChannel = '__redis__:invalidate'
/** Pause between the answer to a PING and the next one: some 40 a second, which neither side feels. */
const pingPauseMs = 25
/**
 * Every change before a PING that was answered has been heard, because one connection keeps its order. What was heard so long ago is
 * no longer taken for everything: so old a cached session may be, on a link that has just died. A busy process bears a lag of 100 ms on
 * either way before it has to ask Redis instead.
 */
const proofLifeMs = 225

/** Rights that were withdrawn may be given back, and until then every call reads Redis; milliseconds. */
const askAgainMs = 1_000

/** Who listens to a channel. */
export interface ChannelEvents {
  /** The session of this key was written or ended; `undefined`: all of them may have been (FLUSHALL). */
  readonly changed: (untrustedKey: string | undefined) => void
  /** The channel was armed or lost. */
  readonly turned: () => void
  /** The server does not allow tracking now; it is asked again later. */
  readonly forbidden: () => void
}

/** One server's invalidations of sessions. */
export interface Channel {
  /** Whether changes are listened to; they may still be under way, or stuck in a link that has died. */
  isArmed(): boolean
  /** Whether every change at this server, but for the latest {@link proofLifeMs}, is certain to have been heard. */
  isProved(): boolean
  /** Takes the connection for lost, whatever it says, and opens another. */
  renew(): void
  close(): void
}

/**
 * Listens to one server over a connection of its own: `CLIENT TRACKING` in broadcast mode, redirected to the connection itself. The
 * server forgets it with the connection, so it is armed anew at each `ready`. A PING at a time proves that nothing was missed.
 *
 * @param client a RESP2 connection that nothing else uses
 */
export function openChannel(client: Redis, events: ChannelEvents): Channel {
  let armed = false
  let connection = 0
  let provedAtMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let isOutdated = false
  const deadlines = createDeadlines(commandTimeoutMs)
  const turn = (next: boolean): void => {
    if (armed === next) return
    armed = next
    events.turned()
  }
  const giveUp = (error: unknown): void => {
    turn(false)
    if (!isForbidden(error)) {
      client.disconnect(true)
      return
    }
    events.forbidden()
    const mine = connection
    timer = setTimeout(() => {
      if (mine === connection) prove(mine, deadlines.within(arm(client)))
    }, askAgainMs).unref()
  }
  /** Sends one command, or several, and asks for the next sign of life; all of it for this one connection. */
  const prove = (mine: number, work: Promise<unknown>): void => {
    const askedAtMs = performance.now()
    const proved = (): void => {
      if (mine !== connection) return
      provedAtMs = askedAtMs
      turn(true)
      timer = setTimeout(() => prove(mine, deadlines.within(client.ping())), pingPauseMs).unref()
    }
    work.then(proved, (error: unknown) => (mine === connection ? giveUp(error) : undefined))
  }
  const lost = (): void => {
    connection += 1
    clearTimeout(timer)
    turn(false)
  }
  const connected = (): void => {
    connection += 1
    clearTimeout(timer)
    if (!isOutdated) prove(connection, deadlines.within(arm(client)))
    else replace()
  }
  /** Only a connection that is there can be replaced: the library, stopped while it connects, would give up for good. */
  const replace = (): void => {
    isOutdated = client.status !== 'ready'
    if (!isOutdated) client.disconnect(true)
  }
  const close = (): void => {
    lost()
    client.disconnect()
  }
  client.on('ready', connected)
  client.on('close', lost)
  // The connection that carries the commands reports what is wrong with Redis; this one only has to know that it is lost.
  client.on('error', lost)
  client.on('messageBuffer', (_channel: Buffer, keys: unknown) => tell(keys, events.changed))
  return {
    isArmed: () => armed,
    isProved: () => performance.now() - provedAtMs <= proofLifeMs,
    renew() {
      lost()
      replace()
    },
    close,
  }
}

/** Before SUBSCRIBE, because a RESP2 connection that has subscribed may send nothing else. */
async function arm(client: Redis): Promise<void> {
  const id = await client.client('ID')
  await client.client('TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', sessionKeyPrefix)
  await client.subscribe(invalidationChannel)
}

/** A message is a list of keys, or nothing when the whole database was flushed. */
function tell(untrustedKeys: unknown, changed: ChannelEvents['changed']): void {
  if (!Array.isArray(untrustedKeys)) changed(undefined)
  else for (const key of untrustedKeys) changed(String(key))
}
