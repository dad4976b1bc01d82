import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../eventually.ts'

/** A running proxy. */
export interface RunningProxy {
  /** With TLS. */
  readonly port: number
  stop(): Promise<void>
}

/** Whether a proxy is not installed, and may be: in CI its lack is a failure. */
export function isProxyMissing(command: string | undefined): boolean {
  return command === undefined && process.env.CI === undefined
}

type Replacements = readonly (readonly [from: string, to: string])[]

/** The shipped text with this machine's places. @throws Error when one of them is not in it */
export async function shipped(file: string, replacements: Replacements): Promise<string> {
  const text = await readFile(new URL(`../../../deploy/${file}`, import.meta.url), 'utf8')
  return replacements.reduce((rendered, [from, to]) => {
    if (!rendered.includes(from)) throw new Error(`${file} no longer has ${from}`)
    return rendered.replaceAll(from, to)
  }, text)
}

/**
 * Runs a proxy in a folder of its own until it listens.
 *
 * @param files of that folder, by name
 * @throws Error with all that it said, when it ends instead
 */
export async function runProxy(
  port: number,
  command: string | undefined,
  files: Readonly<Record<string, string>>,
  argumentsIn: (folder: string) => readonly string[],
): Promise<RunningProxy> {
  if (command === undefined) throw new Error('this test needs a proxy that is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-carrier-'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const child = spawn(command, argumentsIn(folder), { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  await listening(child, port)
  return {
    port,
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the proxy ended with ${code}: ${said}`)))
  })
  await Promise.race([eventually(() => canConnect(port), 20_000), ended])
  ended.catch(() => undefined)
}

function canConnect(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
