import cluster from 'node:cluster'
import { connect } from 'node:net'
import { createGateway, type Gateway } from '../../app.ts'
import { addressesAtProvider, ownedPaths } from '../../config/endpoints.ts'
import { hasFrontendsFile } from '../../config/frontends/load-house.ts'
import { type Config, loadConfig } from '../../config/load-config.ts'
import { findLookalikes } from '../../config/lookalikes.ts'
import { configWarnings } from '../../config/warnings.ts'
import { devServerAdvice } from '../../proxy/upstream/upstream-errors.ts'
import { createTelemetry } from '../../telemetry/create-telemetry.ts'
import { createLogger } from '../../telemetry/logs/logger.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import { type CommandContext, expectNoArguments } from '../command.ts'
import { serve } from './serve.ts'
import { startHouse } from './start-house.ts'
import { abandonOnHangup } from './starting.ts'
import { supervise } from './supervise.ts'
import { answerSupervisor, readyWithin } from './worker.ts'

/** A development server on this machine answers at once, milliseconds. */
const listensWithinMs = 1_000

/** Longest time that a worker waits for its store and provider before it takes connections, milliseconds. */
const workerReadyWithinMs = 3_000

/**
 * `coatcheck start`: runs the gateway in this process, or in `WORKERS` processes that this one looks after. Resolves once it listens,
 * respectively once all workers have ended.
 *
 * @throws ConfigError, CommandError
 */
export async function run(context: CommandContext): Promise<number> {
  expectNoArguments(context)
  const env = withTerminalFormat(context)
  const lookalikes = cluster.isWorker ? [] : findLookalikes(context.env)
  const load = <Loaded>(read: () => Loaded): Loaded => readOrComplain(read, lookalikes, context.complain)
  if (hasFrontendsFile(env)) return startHouse(env, lookalikes, load)
  abandonOnHangup()
  const config = load(() => loadConfig(env))
  if (cluster.isWorker) {
    await serve(createWorkerGateway, config, announced(config))
    return 0
  }
  const log = createLogger(config)
  for (const warning of [...lookalikes, ...configWarnings(config)]) log.warn(warning)
  if (config.workers > 1) return supervise(config, log)
  await serve(createGateway, config, announced(config))
  await warnOfSpa(config, log)
  return 0
}

/** Variables that nearly match belong into the log; without a configuration there is none, and they may be what is wrong with it. */
function readOrComplain<Loaded>(
  read: () => Loaded,
  lookalikes: readonly string[],
  complain: (line: string) => void,
): Loaded {
  try {
    return read()
  } catch (error) {
    for (const warning of lookalikes) complain(`coatcheck: warning: ${warning}`)
    throw error
  }
}

/** The most frequent slip of a morning. */
async function warnOfSpa({ spaUrl }: Config, log: Pick<Logger, 'warn'>): Promise<void> {
  if (spaUrl === undefined || (await listens(spaUrl))) return
  log.warn(devServerAdvice(spaUrl))
}

function listens({ hostname, port, protocol }: URL): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect({ host, port: Number(port) || (protocol === 'https:' ? 443 : 80) })
  return new Promise<boolean>((resolve) => {
    socket.setTimeout(listensWithinMs, () => resolve(false))
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}

function announced(config: Config) {
  const { authPrefix, routes, baseUrl } = config
  const paths = [...ownedPaths(authPrefix), ...routes.map(({ prefix }) => `${prefix}/*`)]
  const { callback, logout } = addressesAtProvider(config)
  return { facts: { paths }, addresses: { open: baseUrl.href, callback, logout } }
}

/**
 * The admin listener is the supervisor's; a worker measures for it. It takes connections once it is ready, because others may serve
 * already; with its store or provider down it serves what it can after a while.
 */
async function createWorkerGateway(config: Config): Promise<Gateway> {
  const telemetry = await createTelemetry(config)
  const gateway = await createGateway({ ...config, adminPort: undefined }, { telemetry })
  answerSupervisor({ exposition: telemetry.exposition, checkReadiness: gateway.checkReadiness })
  await readyWithin(gateway.checkReadiness, workerReadyWithinMs)
  return gateway
}

/** A person at a terminal gets lines for people, unless told otherwise. */
function withTerminalFormat({ env, isTerminal }: CommandContext): CommandContext['env'] {
  const isUnset = (env.LOG_FORMAT ?? '').trim() === ''
  return isTerminal && isUnset ? { ...env, LOG_FORMAT: 'pretty' } : env
}
