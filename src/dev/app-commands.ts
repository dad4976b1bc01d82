import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Environment } from '../config/environment.ts'

/** How long a program may take to end before it is killed, milliseconds. */
const patienceMs = 5_000

/** Programs of the app that run beside the gateway. */
export interface AppCommands {
  /** Resolves with the command that ended first by itself, and how. */
  readonly ended: Promise<{ readonly command: string; readonly code: number | null }>
  stop(): Promise<void>
}

/**
 * Starts shell commands, each in a group of its own, and prints what they print, line by line.
 *
 * @param env their environment
 */
export function startAppCommands(
  commands: readonly string[],
  env: Environment,
  print: (line: string) => void,
): AppCommands {
  const children = commands.map((command) => start(command, env, print))
  const ends = children.map(async ({ command, child }) => {
    const [code] = (await once(child, 'exit')) as [number | null]
    return { command, code }
  })
  return {
    ended: ends.length === 0 ? new Promise(() => undefined) : Promise.race(ends),
    async stop() {
      await Promise.all(children.map(({ child }) => end(child)))
    },
  }
}

function start(command: string, env: Environment, print: (line: string) => void) {
  const child = spawn(command, {
    shell: true,
    // A group, because the shell and npm pass no signals on.
    detached: process.platform !== 'win32',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => print(`  [${command}] ${line}`))
  return { command, child }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  kill(child, 'SIGTERM')
  const timer = setTimeout(() => kill(child, 'SIGKILL'), patienceMs)
  await exited
  clearTimeout(timer)
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(process.platform === 'win32' ? child.pid : -child.pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}
