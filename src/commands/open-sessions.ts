import type { Config } from '../config/load-config.ts'
import { usesRedis } from '../config/settings/rules.ts'
import { createSealer } from '../sealing/sealer.ts'
import { createOperatorSessions, type OperatorSessions } from '../session/lifecycle/listing/operator.ts'
import { createSessionRecords } from '../session/record/records.ts'
import { becomesReady } from '../session/store/ready.ts'
import { createRedisStore } from '../session/store/redis/store.ts'
import { silentLogger } from '../telemetry/logs/logger.ts'
import { noMetrics } from '../telemetry/measures/metrics.ts'
import { CommandError } from './command.ts'

/** A Redis that has not answered by then is reported instead of waited for, milliseconds. */
const connectWithinMs = 5_000

/** Every session in Redis, as an operator may see it. */
export interface OpenedSessions {
  readonly sessions: OperatorSessions
  close(): Promise<void>
}

/**
 * Connects to the gateway's Redis.
 *
 * @param ended told of each session that was ended here, by its pseudonym
 * @throws CommandError when there is none, or it does not answer
 */
export async function openSessions(
  config: Config,
  ended: (sessionRef: string) => void,
): Promise<OpenedSessions> {
  if (!usesRedis(config)) {
    throw new CommandError(
      "there are no sessions to look at: without Redis they live in the gateway's own memory; set REDIS_URL as it is set there",
    )
  }
  const telemetry = { log: silentLogger(), metrics: noMetrics }
  const connection = createRedisStore(config, { telemetry })
  const { frontend } = config
  const store = frontend === undefined ? connection : connection.forFrontend(frontend, config)
  if (!(await becomesReady(connection, connectWithinMs))) {
    const { reason = 'Redis does not answer.' } = connection.status()
    await connection.close()
    throw new CommandError(`${reason.replace(/\.$/, '')}; see REDIS_URL`)
  }
  const sealer = createSealer(config.sessionSecret, frontend)
  const records = createSessionRecords(
    { ...config, sessionCache: false },
    { store, sealer, telemetry, now: Date.now },
  )
  const sessions = createOperatorSessions({
    records,
    store,
    issuer: config.issuerUrl,
    now: Date.now,
    onEnded: (hs) => {
      for (const h of hs) ended(records.references.session(h))
    },
  })
  return { sessions, close: () => connection.close() }
}
