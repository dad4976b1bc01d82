import type { Logger } from '../../../../telemetry/telemetry.ts'
import type { RedisClient } from '../connection/connection.ts'
import type { Deadlines } from '../deadlines.ts'
import type { StoreOperation } from '../operations.ts'
import { createFailing, type TryAgain } from './failing.ts'
import { type RedisFault, toRedisFault } from './fault.ts'
import { askWhetherServing } from './serving.ts'

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
  failed(error: unknown, operation: StoreOperation, key: string | undefined): RedisFault
  /** Told of a success; costs nothing while all is well. */
  succeeded(operation: StoreOperation): void
  /** Told what makes the server unfit; `undefined`: it is fit. */
  judged(unfit: string | undefined): void
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
 *
 * @param tryAgain reports here, too
 */
export function watchRedis(
  client: RedisClient,
  log: Logger,
  deadlines: Deadlines,
  tryAgain: TryAgain,
): RedisHealth {
  let trouble: Trouble | undefined = starting
  let unfit: string | undefined
  let announced = false
  const failing = createFailing(tryAgain)
  let failedAtMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let isProbing = false

  const note = (fault: RedisFault, key: string | undefined): void => {
    if (stopped) return
    failedAtMs = performance.now()
    const refusedKey = fault.refusesWrites ? (key ?? '') : trouble?.refusedKey
    // That a connection is closed is no news when it is known why.
    const known = fault.isBare && trouble !== starting ? trouble?.reason : undefined
    trouble = { reason: known ?? fault.reason, refusedKey }
    if (!announced)
      log.error({ reason: `Redis ${fault.reason}`, cause: fault.cause }, 'session store unavailable')
    announced = true
    timer ??= setInterval(probe, probeIntervalMs).unref()
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
      ? askWhetherServing(client, deadlines)
      : deadlines.within(client.set(probeKey(trouble.refusedKey), '1', 'PX', probeTtlMs))
  /** A success amid failures proves little: recovery is a whole interval without one, and with nothing left that fails. */
  const consider = (): void => {
    const isQuiet = performance.now() - failedAtMs >= probeIntervalMs
    if ((isQuiet || trouble === starting) && !failing.isAny()) recovered()
  }
  const probe = (): void => {
    if (stopped || isProbing) return
    isProbing = true
    const failed = (error: unknown): void => {
      if (trouble !== starting) note(toRedisFault(error), trouble?.refusedKey)
    }
    const probed = attempt().then(failing.tryAll)
    void probed.then(consider, failed).finally(() => {
      isProbing = false
    })
  }

  const disconnected = (error?: unknown): void => note(toRedisFault(error), undefined)
  client.on('error', disconnected)
  client.on('close', disconnected)
  client.on('ready', probe)
  return {
    reason: () => unfit ?? trouble?.reason,
    failed(error, operation, key) {
      const fault = toRedisFault(error)
      // A command that comes before the first connection says nothing about Redis.
      if (trouble === starting) return fault
      if (fault.isPartial) failing.failed(operation, fault, key)
      note(fault, key)
      return fault
    },
    succeeded: failing.succeeded,
    judged(found) {
      if (found !== undefined && found !== unfit)
        log.error({ reason: `Redis ${found}` }, 'unsupported session store')
      unfit = found
    },
    stop() {
      // The listeners stay: an error that nobody listens to would be thrown.
      stopped = true
      clearInterval(timer)
    },
  }
}
