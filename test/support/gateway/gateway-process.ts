import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '../eventually.ts'

/** A gateway that runs as users run it: its own process, settings by environment. */
export interface GatewayProcess {
  readonly port: number
  readonly pid: number
  /** All that it wrote, both streams. */
  output(): string
  /** Its log lines, parsed; lines that are not JSON are left out. */
  log(): readonly Record<string, unknown>[]
  /** Resolves when it has written a line that contains the text. */
  wrote(text: string): Promise<void>
  /** Resolves when `/readyz` says that store and provider are there, as a balancer waits for it. */
  ready(): Promise<void>
  /** Exit code, or `null` after a signal. */
  readonly exited: Promise<number | null>
  /** SIGTERM, then waits: what an orchestrator does. */
  stop(): Promise<number | null>
  /** SIGTERM without waiting. */
  terminate(): void
  /** SIGKILL, then waits: what a crash does. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
}

/** A machine that is busy with other tests takes its time. */
const readyWithinMs = 15_000

/** The line that `coatcheck start` writes once it accepts connections. */
const readyLine = 'the gateway listens'

const cliPath = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

/**
 * Starts `node src/cli.ts` and waits until it listens.
 *
 * @throws Error with everything that it wrote, when it ends instead
 */
export async function startGatewayProcess(
  env: Readonly<Record<string, string>> & { readonly PORT: string },
): Promise<GatewayProcess> {
  // An empty working directory: no `.env` of a developer can leak into a test.
  const cwd = await mkdtemp(join(tmpdir(), 'coatcheck-test-'))
  const child = spawn(process.execPath, [cliPath, 'start'], {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  void exited.then(() => rm(cwd, { recursive: true, force: true }))
  const output = collectOutput(child)
  const ended = exited.then((code) => {
    throw new Error(`the gateway ended with ${code} before it listened:\n${output.text()}`)
  })
  await Promise.race([output.contains(readyLine), ended])
  ended.catch(() => undefined)
  return {
    port: Number(env.PORT),
    pid: child.pid ?? 0,
    output: output.text,
    log: () => parseLines(output.text()),
    wrote: output.contains,
    ready: () => eventually(() => assertReady(Number(env.PORT)), readyWithinMs),
    exited,
    terminate: () => void child.kill('SIGTERM'),
    async stop() {
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      return exited
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  }
}

async function assertReady(port: number): Promise<void> {
  const { status } = await fetch(`http://127.0.0.1:${port}/readyz`)
  if (status !== 200) throw new Error(`/readyz answers ${status}`)
}

function collectOutput(child: ChildProcess) {
  let text = ''
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8')
    stream?.on('data', (chunk: string) => {
      text += chunk
      for (const check of waiting) check()
    })
  }
  const contains = (wanted: string): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!text.includes(wanted)) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  return { text: () => text, contains }
}

function parseLines(text: string): readonly Record<string, unknown>[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return []
    try {
      return [JSON.parse(line) as Record<string, unknown>]
    } catch {
      return []
    }
  })
}
