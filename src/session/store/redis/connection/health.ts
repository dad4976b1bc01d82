import type { Logger } from '../../../../telemetry/telemetry.ts'
import { type RedisFault, toRedisFault } from '../fault.ts'
import type { RedisClient } from './connection.ts'

/** How soon a recovery is noticed without any traffic. */
const probeIntervalMs = 500
/** The probe's key has no other use, and soon none at all. */
const probeTtlMs = 1_000

/** Whether Redis works: told of every failure, finds out about recovery by itself. */
export interface RedisHealth {
  /** What is wrong, completing the sentence "Redis …"; `undefined` when nothing is. */
  reason(): string | undefined
  /**
   * Told of a command that failed.
   *
   * @param key the command's key; recovery of refused writes is tried in the same slot of a Cluster
   */
  failed(error: unknown, key: string | undefined): RedisFault
  stop(): void
}

interface Trouble {
  readonly reason: string
  /** Set while writes are refused; says in which slot. */
  readonly refusedKey: string | undefined
}

/** Before the first connection nothing is wrong yet, and nothing works either. */
const starting: Trouble = { reason: 'is not connected yet', refusedKey: undefined }

function probeKey(key: string): string {
  const tag = /\{([^}]+)\}/.exec(key)?.[1] ?? key
  return `coatcheck:probe:{${tag}}`
}

/**
 * Watches over a client. One log line says when the store stops working and one when it works again, however many commands fail
 * in between; successes cost nothing.
 */
export function watchRedis(client: RedisClient, log: Logger): RedisHealth {
  let trouble: Trouble | undefined = starting
  let announced = false
  let failures = 0
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const note = (fault: RedisFault, key: string | undefined): void => {
    if (stopped) return
    failures += 1
    const refusedKey = fault.refusesWrites ? (key ?? '') : trouble?.refusedKey
    // That a connection is closed is no news when it is known why.
    const known = fault.isBare && trouble !== starting ? trouble?.reason : undefined
    trouble = { reason: known ?? fault.reason, refusedKey }
    if (!announced)
      log.error({ reason: `Redis ${fault.reason}`, cause: fault.cause }, 'session store unavailable')
    announced = true
    timer ??= setInterval(probe, probeIntervalMs).unref()
  }
  const failed = (error: unknown, key: string | undefined): RedisFault => {
    const fault = toRedisFault(error)
    // A command that comes before the first connection says nothing about Redis.
    if (trouble !== starting) note(fault, key)
    return fault
  }
  const recovered = (): void => {
    clearInterval(timer)
    timer = undefined
    trouble = undefined
    if (announced) log.info('session store available again')
    announced = false
  }
  const attempt = (): Promise<unknown> =>
    trouble?.refusedKey === undefined
      ? client.ping()
      : client.set(probeKey(trouble.refusedKey), '1', 'PX', probeTtlMs)
  const probe = (): void => {
    if (stopped) return
    const before = failures
    attempt().then(
      // A success amid failures proves little: recovery is a whole interval without one.
      () => (failures === before ? recovered() : undefined),
      (error: unknown) => failed(error, trouble?.refusedKey),
    )
  }

  const disconnected = (error?: unknown): void => note(toRedisFault(error), undefined)
  client.on('error', disconnected)
  client.on('close', disconnected)
  client.on('ready', probe)
  return {
    reason: () => trouble?.reason,
    failed,
    stop() {
      // The listeners stay: an error that nobody listens to would be thrown.
      stopped = true
      clearInterval(timer)
    },
  }
}
