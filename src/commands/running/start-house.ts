import cluster from 'node:cluster'
import { ConfigError } from '../../config/config-error.ts'
import type { Environment } from '../../config/environment.ts'
import { type HouseConfig, loadHouse } from '../../config/frontends/load-house.ts'
import { filesAsNoted, type NotedReads, noteReads } from '../../config/frontends/noted-files.ts'
import { diskFiles } from '../../config/load-config.ts'
import { configWarnings } from '../../config/warnings.ts'
import { createIssuers, type IssuerReport, type Issuers } from '../../house/issuers.ts'
import { createHouse, type House, type HouseParts } from '../../house.ts'
import { createTelemetry } from '../../telemetry/create-telemetry.ts'
import { createLogger } from '../../telemetry/logs/logger.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import { serve } from './serve.ts'
import { onHangup } from './starting.ts'
import { supervise } from './supervise.ts'
import { answerSupervisor, storeReadyWithin } from './worker.ts'
import {
  type HouseMessage,
  readSupervisorMessage,
  type SupervisorMessage,
  type WorkerMessage,
} from './worker-messages.ts'
import { liveWorkers, tell } from './workers.ts'

/** A configuration, and the files it was read from as they were. */
interface Accepted {
  readonly config: HouseConfig
  readonly reads: NotedReads
}

function accept(env: Environment): Accepted {
  const noted = noteReads(diskFiles)
  return { config: loadHouse(env, noted.files), reads: noted.reads() }
}

/**
 * Runs the frontends of `FRONTENDS_FILE` in this process, or in `WORKERS` processes. SIGHUP reads the file again.
 *
 * @param lookalikes warnings about the environment
 * @param load reads the configuration, and says what has to be said when that fails
 * @throws ConfigError, CommandError
 */
export async function startHouse(
  env: Environment,
  lookalikes: readonly string[],
  load: <Loaded>(read: () => Loaded) => Loaded,
): Promise<number> {
  if (cluster.isWorker) return startWorker(env)
  const accepted = load(() => accept(env))
  const log = createLogger(accepted.config.process)
  for (const warning of lookalikes) log.warn(warning)
  for (const { name, config } of accepted.config.frontends) {
    for (const warning of configWarnings(config)) log.warn({ frontend: name }, warning)
  }
  const { workers } = accepted.config.process
  return workers > 1 ? superviseHouse(env, accepted) : startAlone(env, accepted.config)
}

async function startAlone(env: Environment, config: HouseConfig): Promise<number> {
  const telemetry = await createTelemetry(config.process)
  const issuers = createIssuers(telemetry)
  const handover = createHandover()
  onHangup(() => {
    const next = readAgain(env, telemetry.log)
    if (next !== undefined) handover.take(next.config)
  })
  await serve(
    async () => handover.begin(await createHouse(config, { telemetry, issuers })),
    config.process,
    announced(config),
  )
  return 0
}

function announced({ frontends }: HouseConfig) {
  const baseUrls = Object.fromEntries(frontends.map(({ name, config }) => [name, config.baseUrl.href]))
  return { facts: { frontends: baseUrls }, reloads: true }
}

/** The file as it is now; with faults the old one stays in force. */
function readAgain(env: Environment, log: Logger): Accepted | undefined {
  try {
    const accepted = accept(env)
    log.info('the frontends file was read again')
    return accepted
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const faults = error.message.split('\n')
    log.error({ faults }, 'the frontends file was read again and is faulty; the old one stays in force')
    return undefined
  }
}

/** Gives each configuration to the house, and the newest of those that came before there was one. */
function createHandover() {
  let house: House | undefined
  let waiting: HouseConfig | undefined
  const take = (config: HouseConfig): void => {
    waiting = config
    const { log } = house ?? {}
    house?.reload(config).catch((err: unknown) => log?.error({ err }, 'a frontend could not be taken down'))
  }
  return {
    take,
    begin(made: House): House {
      house = made
      if (waiting !== undefined) take(waiting)
      return made
    },
  }
}

/** The supervisor has the file and tries the issuers; workers are told. */
async function superviseHouse(env: Environment, first: Accepted): Promise<number> {
  let accepted = first
  const telemetry = await createTelemetry({ ...first.config.process, adminPort: undefined })
  const issuers = createIssuers(telemetry, () => tellAll({ coatcheck: 'issuers', report: issuers.report() }))
  const words = new Set<string>()
  const remember = ({ config }: Accepted): void => {
    for (const { config: one } of config.frontends) words.add(one.cookieWord)
  }
  const house = (): HouseMessage => ({
    coatcheck: 'house',
    reads: accepted.reads,
    report: issuers.report(),
    cookieWords: [...words],
  })
  remember(first)
  cluster.on('message', (worker, untyped: unknown) => {
    if (isHello(untyped)) tell(worker, house())
  })
  issuers.follow(first.config.frontends)
  onHangup(() => {
    const next = readAgain(env, telemetry.log)
    if (next === undefined) return
    accepted = next
    remember(next)
    issuers.follow(next.config.frontends)
    tellAll(house())
  })
  try {
    return await supervise(first.config.process, telemetry.log, true)
  } finally {
    issuers.close()
  }
}

function tellAll(message: SupervisorMessage): void {
  for (const worker of liveWorkers()) tell(worker, message)
}

function isHello(untyped: unknown): boolean {
  return typeof untyped === 'object' && untyped !== null && Reflect.get(untyped, 'coatcheck') === 'hello'
}

async function startWorker(env: Environment): Promise<number> {
  // Whoever reloads is the supervisor; a signal to the whole process group would count twice.
  onHangup(() => undefined)
  let report: IssuerReport = { isComplete: false, problems: {} }
  const handover = createHandover()
  const first = Promise.withResolvers<{
    readonly config: HouseConfig
    readonly formerCookieWords: readonly string[]
  }>()
  let isFirst = true
  process.on('message', (untyped: unknown) => {
    const message = readSupervisorMessage(untyped)
    if (message?.coatcheck !== 'house' && message?.coatcheck !== 'issuers') return
    report = message.report
    if (message.coatcheck === 'issuers') return
    const config = loadHouse(env, filesAsNoted(message.reads))
    if (isFirst) first.resolve({ config, formerCookieWords: message.cookieWords })
    else handover.take(config)
    isFirst = false
  })
  const hello: WorkerMessage = { coatcheck: 'hello' }
  process.send?.(hello)
  const { config, formerCookieWords } = await first.promise
  const issuers: Issuers = { report: () => report, follow: () => undefined, close: () => undefined }
  await serve(
    async () => {
      const telemetry = await createTelemetry(config.process)
      const parts: HouseParts = { telemetry, issuers, formerCookieWords }
      const house = handover.begin(await createHouse(withoutAdmin(config), parts))
      answerSupervisor({ exposition: telemetry.exposition, checkReadiness: house.checkReadiness })
      await storeReadyWithin(house.isStoreReady)
      return house
    },
    config.process,
    announced(config),
  )
  return 0
}

function withoutAdmin(config: HouseConfig): HouseConfig {
  return { ...config, process: { ...config.process, adminPort: undefined } }
}
