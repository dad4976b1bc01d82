import cluster from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import type { Config } from '../../config/load-config.ts'
import { flushLog } from '../../telemetry/logs/logger.ts'
import { CommandError } from '../command.ts'
import { endStart } from './starting.ts'
import { readSupervisorMessage, type StopSignal } from './worker-messages.ts'

/** A gateway as it is run: a Fastify instance that may know how to say beforehand that it will go. */
export interface RunnableGateway extends Pick<FastifyInstance, 'listen' | 'close' | 'log'> {
  /** Makes `/readyz` fail while everything else goes on. */
  readonly beginDraining?: () => void
  /** Resolves when no refresh is under way any more. */
  readonly refreshed?: () => Promise<void>
}

/** No answer of a provider is waited for longer than this, milliseconds. */
export const longestRefreshMs = 60_000

type ServeConfig = Pick<Config, 'port' | 'host' | 'drainDelay' | 'shutdownGrace'>

/** How a gateway is served. */
export interface ServeOptions {
  /** What the line says that announces it. */
  readonly facts?: Readonly<Record<string, unknown>>
  /** Where to begin, and what the provider must know. */
  readonly addresses?: { readonly open: string; readonly callback: string; readonly logout: string }
  /** Somebody else hears SIGHUP, which stops the process otherwise. */
  readonly reloads?: boolean
}

/**
 * Starts the gateway, and stops it on a signal. Resolves once it listens.
 *
 * @throws CommandError when an address cannot be listened on
 */
export async function serve<C extends ServeConfig>(
  createGateway: (config: C) => Promise<RunnableGateway>,
  config: C,
  { facts = {}, addresses, reloads = false }: ServeOptions = {},
): Promise<void> {
  const gateway = await listening(createGateway, config)
  gateway.log.info(facts, 'the gateway listens; these paths are its own')
  if (addresses !== undefined) {
    const { open, callback, logout } = addresses
    gateway.log.info(
      addresses,
      `open ${open}; registered at the provider must be the callback ${callback} and, for after the sign-out, ${logout}`,
    )
  }
  stopGracefully(gateway, config, reloads)
  endStart()
}

async function listening<C extends ServeConfig>(
  createGateway: (config: C) => Promise<RunnableGateway>,
  config: C,
): Promise<RunnableGateway> {
  let gateway: RunnableGateway | undefined
  try {
    gateway = await createGateway(config)
    await gateway.listen({ port: config.port, host: config.host })
    return gateway
  } catch (error) {
    await gateway?.close()
    throw describeListenError(error)
  }
}

const listenProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another process',
  EACCES: 'needs more rights than this process has',
  EADDRNOTAVAIL: 'is not an address of this machine',
  ENOTFOUND: 'is not a name that can be resolved',
}

/** What a person can do about an address that cannot be listened on. */
export function describeListenError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const read = (name: string): unknown => Reflect.get(error, name)
  const problem = listenProblems[String(read('code'))]
  if (problem === undefined) return error
  const place = [read('address') ?? read('hostname'), read('port')]
    .filter((part) => part !== undefined)
    .join(' port ')
  return new CommandError(
    `${place} ${problem}; see PORT and HOST, ADMIN_PORT and ADMIN_HOST, FORWARD_AUTH_PORT and FORWARD_AUTH_HOST`,
  )
}

const supervisorSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/**
 * SIGTERM comes from an orchestrator: `/readyz` fails for `DRAIN_DELAY` before anything closes. SIGINT comes from a person, who does
 * not want to wait, and so does SIGHUP where no file is read again at it. After a fault nobody knows what still holds, so it closes at once
 * and exits with 1. A second signal, or a second fault, ends the process there and then.
 */
function stopGracefully(gateway: RunnableGateway, config: ServeConfig, reloads: boolean): void {
  let workerSignal: StopSignal | undefined
  const grace = closeWithGrace(
    // A worker obeys its supervisor; a signal to the whole process group would count twice.
    {
      delay: false,
      logger: false,
      skip: [...(cluster.isWorker ? supervisorSignals : []), ...(reloads ? (['SIGHUP'] as const) : [])],
    },
    async ({ signal, err }) => {
      if (err !== undefined) gateway.log.fatal({ err }, 'uncaught fault; the process ends')
      const reason = signal ?? workerSignal
      gateway.log.info({ reason: reason ?? 'fault' }, 'shutting down')
      gateway.beginDraining?.()
      if (reason === 'SIGTERM') await sleep(config.drainDelay * 1_000)
      await closeWithin(gateway, config.shutdownGrace).finally(() => flushLog(gateway.log))
    },
  )
  if (cluster.isWorker) {
    for (const signal of supervisorSignals) process.on(signal, () => undefined)
    process.on('message', (untyped: unknown) => {
      const message = readSupervisorMessage(untyped)
      if (message?.coatcheck !== 'stop' || workerSignal !== undefined) return
      workerSignal = message.signal
      grace.close()
    })
  }
}

async function closeWithin(gateway: RunnableGateway, graceSeconds: number): Promise<void> {
  const isClosed = await Promise.race([gateway.close().then(() => true), sleep(graceSeconds * 1_000, false)])
  if (isClosed) return
  gateway.log.error({ graceSeconds }, 'SHUTDOWN_GRACE is over; what is still under way is cut off')
  // Requests can be sent again, but the refresh token that a provider has just handed out exists nowhere else yet.
  await Promise.race([gateway.refreshed?.(), sleep(longestRefreshMs)])
  throw new CommandError('not everything finished within SHUTDOWN_GRACE')
}
