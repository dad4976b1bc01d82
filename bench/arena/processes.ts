import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that the benchmark started, ended by its own id. */
export interface BenchProcess {
  readonly pid: number
  stop(): Promise<void>
}

/** What to start. */
export interface Command {
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Processor to stay on; ignored where `taskset` is missing. */
  readonly core: number
  /** It is ready once it accepts connections here. */
  readonly port: number
}

const hasTaskset = spawnSync('taskset', ['--version'], { stdio: 'ignore' }).status === 0
const coreCount = availableParallelism()

/** The processor that only the gateway under test uses, and the one for everything else. */
export const cores = { gateway: coreCount - 1, rest: 0 } as const

/** Whether gateway and load really are apart. */
export const isPinned = hasTaskset && coreCount > 1

/** A gateway that is not up by then will not come up, milliseconds. */
const startLimitMs = 30_000
const pollMs = 50
/** SIGTERM first; whoever still runs after this is killed, milliseconds. */
const stopLimitMs = 5_000

/** Prefixes a command so that it stays on one processor. */
export function pinned(core: number, file: string, args: readonly string[]): [string, string[]] {
  return isPinned ? ['taskset', ['-c', `${core}`, file, ...args]] : [file, [...args]]
}

/** Moves a running process, with all its threads, to one processor. */
export function pin(core: number, pid: number): void {
  if (isPinned) spawnSync('taskset', ['-acp', `${core}`, `${pid}`], { stdio: 'ignore' })
}

/**
 * Starts a process and waits until it is ready. `taskset` replaces itself, so the id is the server's own.
 *
 * @throws Error with what it wrote, when it ends or is not ready in time
 */
export async function start(command: Command): Promise<BenchProcess> {
  const [file, args] = pinned(command.core, command.file, command.args)
  const env = { PATH: process.env.PATH ?? '', NODE_ENV: 'production', ...command.env }
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = (): Promise<void> => end(child)
  try {
    await untilReady(child, command)
  } catch (error) {
    await stop()
    throw error
  }
  return { pid: child.pid ?? 0, stop }
}

async function untilReady(child: ChildProcess, { name, port }: Command): Promise<void> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    // The pipe is drained for as long as the process runs; only its beginning is kept.
    stream?.on('data', (chunk: Buffer) => {
      if (output.length < 20_000) output += chunk.toString()
    })
  }
  let hasEnded = false
  for (const event of ['error', 'exit']) child.once(event, () => (hasEnded = true))
  const untilMs = performance.now() + startLimitMs
  while (!(await accepts(port))) {
    if (hasEnded) throw new Error(`${name} ended before it was ready:\n${output}`)
    if (performance.now() > untilMs) throw new Error(`${name} was not ready in time:\n${output}`)
    await sleep(pollMs)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
  await exited
  clearTimeout(timer)
}
