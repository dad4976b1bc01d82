import cluster from 'node:cluster'
import { createGateway } from '../app.ts'
import { loadConfig } from '../config/load-config.ts'
import { findLookalikes } from '../config/lookalikes.ts'
import { configWarnings } from '../config/warnings.ts'
import { createLogger } from '../telemetry/logger.ts'
import { type CommandContext, expectNoArguments } from './command.ts'
import { serve } from './serve.ts'
import { superviseWorkers } from './workers.ts'

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
    await serve(createGateway, config)
    return 0
  }
  for (const warning of [...findLookalikes(context.env), ...configWarnings(config)]) {
    context.complain(`coatcheck: warning: ${warning}`)
  }
  if (config.workers > 1) return superviseWorkers(config, createLogger(config))
  await serve(createGateway, config)
  return 0
}

/** A person at a terminal gets lines for people, unless told otherwise. */
function withTerminalFormat({ env, isTerminal }: CommandContext): CommandContext['env'] {
  const isUnset = (env.LOG_FORMAT ?? '').trim() === ''
  return isTerminal && isUnset ? { ...env, LOG_FORMAT: 'pretty' } : env
}
