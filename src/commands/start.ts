import cluster from 'node:cluster'
import { connect } from 'node:net'
import { createGateway, type Gateway } from '../app.ts'
import { type Config, loadConfig } from '../config/load-config.ts'
import { findLookalikes } from '../config/lookalikes.ts'
import { configWarnings } from '../config/warnings.ts'
import { type Admin, createAdmin } from '../http/server/admin.ts'
import { devServerAdvice } from '../proxy/upstream/upstream-errors.ts'
import { createTelemetry } from '../telemetry/create-telemetry.ts'
import { createLogger } from '../telemetry/logger.ts'
import type { Logger } from '../telemetry/telemetry.ts'
import { type CommandContext, expectNoArguments } from './command.ts'
import { describeListenError, serve } from './serve.ts'
import { createSupervisorView } from './supervisor-admin.ts'
import { answerSupervisor, readyWithin } from './worker.ts'
import { superviseWorkers } from './workers.ts'

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
  const config = loadConfig(withTerminalFormat(context))
  if (cluster.isWorker) {
    await serve(createWorkerGateway, config)
    return 0
  }
  for (const warning of [...findLookalikes(context.env), ...configWarnings(config)]) {
    context.complain(`coatcheck: warning: ${warning}`)
  }
  if (config.workers > 1) return supervise(config, createLogger(config))
  await serve(createGateway, config)
  await warnOfSpa(config, context.complain)
  return 0
}

/** The most frequent slip of a morning. */
async function warnOfSpa({ spaUrl }: Config, complain: (line: string) => void): Promise<void> {
  if (spaUrl === undefined || (await listens(spaUrl))) return
  complain(`coatcheck: warning: ${devServerAdvice(spaUrl)}`)
}

function listens({ hostname, port, protocol }: URL): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect({ host, port: Number(port) || (protocol === 'https:' ? 443 : 80) })
  return new Promise<boolean>((resolve) => {
    socket.setTimeout(listensWithinMs, () => resolve(false))
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy())
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

/** @throws CommandError when the admin listener's address is taken */
async function supervise(config: Config, log: Logger): Promise<number> {
  const view = createSupervisorView()
  const admin = createAdmin(view, log)
  await listen(admin, config)
  try {
    return await superviseWorkers(config, log, view)
  } finally {
    await admin.close()
  }
}

async function listen(admin: Admin, { adminPort, adminHost }: Config): Promise<void> {
  if (adminPort === undefined) return
  try {
    await admin.listen({ adminPort, adminHost })
  } catch (error) {
    throw describeListenError(error)
  }
}

/** A person at a terminal gets lines for people, unless told otherwise. */
function withTerminalFormat({ env, isTerminal }: CommandContext): CommandContext['env'] {
  const isUnset = (env.LOG_FORMAT ?? '').trim() === ''
  return isTerminal && isUnset ? { ...env, LOG_FORMAT: 'pretty' } : env
}
