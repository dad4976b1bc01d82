import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from '../ports.ts'
import { findRedisServer } from './redis-binary.ts'

/** Directives of a configuration file. */
export type RedisConf = Readonly<Record<string, string | readonly string[]>>

/** What a server is started with. */
export interface RedisServerOptions {
  readonly port?: number
  /** Directives of `redis.conf`, such as `{ maxmemory: '10mb' }`; a list repeats one. */
  readonly conf?: RedisConf
  /** Runs it as a Sentinel. */
  readonly sentinel?: boolean
}

/** A Redis server of its own process, for tests that do it harm. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** The running process; another one after {@link RedisServer.restart}. */
  readonly process: ChildProcess
  /** Ends the server and forgets its folder. Safe to call twice. */
  stop(): Promise<void>
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay, nothing is answered. */
  freeze(): void
  /** SIGCONT. */
  thaw(): void
  /** Starts it again on its port, empty unless it saved; kills it before if it runs. */
  restart(): Promise<void>
  /** A plain client, closed by {@link RedisServer.stop}. */
  client(): Redis
}

const readyLine = /Ready to accept connections|Sentinel ID is/

function toFile(conf: RedisConf): string {
  const lines = Object.entries(conf).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name} ${value === '' ? '""' : value}`),
  )
  return `${lines.join('\n')}\n`
}

async function launch(args: readonly string[]): Promise<ChildProcess> {
  const binary = findRedisServer()
  if (binary === undefined) throw new Error('this test needs redis-server or valkey-server on the PATH')
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${output}`)))
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-20_000)
        if (readyLine.test(output)) resolve()
      })
    }
  })
  return child
}

/** SIGKILL ends a frozen process too; waking it before would let it do what it has already been sent. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}

/** Starts a server on loopback without persistence, and waits until it answers. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort())
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-redis-'))
  const file = join(folder, 'redis.conf')
  const isSentinel = options.sentinel === true
  const args = [file, ...(isSentinel ? ['--sentinel'] : [])]
  const base = { port: `${port}`, bind: '127.0.0.1', dir: folder }
  const unsaved = isSentinel ? {} : { save: '', appendonly: 'no' }
  await writeFile(file, toFile({ ...base, ...unsaved, ...options.conf }))
  let child = await launch(args)
  const clients: Redis[] = []
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get process() {
      return child
    },
    async stop() {
      for (const client of clients.splice(0)) client.disconnect()
      await end(child)
      await rm(folder, { recursive: true, force: true })
    },
    kill: () => end(child),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async restart() {
      await end(child)
      child = await launch(args)
    },
    client() {
      const client = new Redis({ host: '127.0.0.1', port, protocol: 2 })
      // Tests that kill the server know that its connections break.
      client.on('error', () => undefined)
      clients.push(client)
      return client
    },
  }
}
