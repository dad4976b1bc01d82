import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cores, pinned } from '../arena/processes.ts'

/** What is sent, over and over. */
export interface Load {
  readonly origin: string
  readonly method: string
  readonly path: string
  /** File with a header a line. */
  readonly headersFile: string
  /** File with the cookie headers to take in turn, one a line; empty for none. */
  readonly cookiesFile: string
  readonly bodyBytes: number
  readonly connections: number
  readonly seconds: number
}

/** The content of a `headersFile`. */
export function headerLines(headers: readonly (readonly [name: string, value: string])[]): string {
  return headers.map((header) => `${header.join(': ')}\n`).join('')
}

/** What came back. */
export interface LoadResult {
  readonly requests: number
  /** Answers with a status of 400 or more. */
  readonly refused: number
  /** Requests without an answer. */
  readonly broken: number
  readonly durationMs: number
  /** All answers together, heads included. */
  readonly receivedBytes: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** A generator that has not ended this long after its time is stuck, milliseconds. */
const graceMs = 20_000
const hasWrk = spawnSync('wrk', ['--version'], { stdio: 'ignore' }).error === undefined

/** Which generator is used. */
export const generator = hasWrk ? 'wrk, one thread' : 'bench/load/own.ts (wrk is not installed)'

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

function toCommand(load: Load): readonly [string, readonly string[]] {
  const { origin, connections, seconds } = load
  const rest = [load.method, load.path, load.headersFile, load.cookiesFile, `${load.bodyBytes}`]
  if (!hasWrk) return [process.execPath, [pathOf('own.ts'), origin, `${connections}`, `${seconds}`, ...rest]]
  const limits = ['-t', '1', '-c', `${connections}`, '-d', `${seconds}s`]
  return ['wrk', [...limits, '-s', pathOf('wrk.lua'), origin, '--', ...rest]]
}

/**
 * Runs the load away from the gateway's processor.
 *
 * @throws Error when the generator fails or does not end
 */
export function runLoad(load: Load): Promise<LoadResult> {
  return generate(...toCommand(load), load.seconds)
}

/**
 * Sends so many GETs in a second at fixed times, however long the answers take, and times each from when it was due.
 *
 * @throws Error when the generator fails or does not end
 */
export function runOpenLoop(load: Load, perSecond: number): Promise<LoadResult> {
  const { origin, connections, seconds, path, headersFile, cookiesFile } = load
  const numbers = [`${connections}`, `${seconds}`]
  const args = [pathOf('open-loop.ts'), origin, ...numbers, path, headersFile, cookiesFile, `${perSecond}`]
  return generate(process.execPath, args, seconds)
}

/**
 * A closed loop in which each connection stays with its own lines of `cookiesFile`; a line may hold several headers, with tabs between.
 *
 * @throws Error when the generator fails or does not end
 */
export function runLanes({
  origin,
  connections,
  seconds,
  path,
  headersFile,
  cookiesFile,
}: Load): Promise<LoadResult> {
  const args = [pathOf('lanes.ts'), origin, `${connections}`, `${seconds}`, path, headersFile, cookiesFile]
  return generate(process.execPath, args, seconds)
}

async function generate(command: string, given: readonly string[], seconds: number): Promise<LoadResult> {
  const [file, args] = pinned(cores.rest, command, given)
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: seconds * 1_000 + graceMs,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject))
  const json = /^RESULT (.*)$/m.exec(output)?.[1]
  if (json === undefined) throw new Error(`the load generator gave no result:\n${output}`)
  return JSON.parse(json) as LoadResult
}
