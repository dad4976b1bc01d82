import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../test/support/ports.ts'
import { startRedis } from '../../test/support/redis/redis.ts'
import type { Gateway, StartGateway, World } from '../peers/gateway.ts'
import { heapFile } from './heap-file.ts'
import { cores, pin, start } from './processes.ts'
import { makeSessions } from './world.ts'

/** Everything that runs during a measurement, and how it ends. */
export interface Arena {
  readonly world: World
  /** Starts a gateway that ends with the arena. */
  enter(start: StartGateway): Promise<Gateway>
  /** Ends everything that was started, the last first. */
  close(): Promise<void>
}

/** How gateways are started. */
export interface ArenaOptions {
  /** A folder for CPU profiles of the Node gateways; none without it. */
  readonly profileFolder?: string
  /** Whether they write what they hold when they are asked to. */
  readonly tellsMemory?: boolean
}

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** Starts a Redis and an API, on the processor that no gateway uses. */
export async function openArena(options: ArenaOptions = {}): Promise<Arena> {
  const stops: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop()
  }
  try {
    const world = await startWorld(stops, options)
    return {
      world,
      async enter(startGateway) {
        const gateway = await startGateway(world, await freePort())
        stops.push(gateway.stop)
        return gateway
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function startWorld(stops: (() => Promise<unknown>)[], options: ArenaOptions): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-bench-'))
  stops.push(() => rm(folder, { recursive: true, force: true }))
  const redis = await startRedis()
  stops.push(redis.stop)
  pin(cores.rest, redis.process.pid ?? 0)
  const upstream = await startUpstream()
  stops.push(upstream.stop)
  return {
    folder,
    redis: redis.client(),
    redisUrl: redis.url,
    upstreamUrl: upstream.url,
    sessions: makeSessions(),
    nodeOptions: toNodeOptions(options, folder),
  }
}

async function startUpstream() {
  const port = await freePort()
  const command = { name: 'upstream', file: process.execPath, args: [pathOf('upstream.ts')], port }
  const upstream = await start({ ...command, core: cores.rest, env: { PORT: `${port}`, EVENT_MS: '10' } })
  return { ...upstream, url: `http://127.0.0.1:${port}` }
}

/** A process that is ended by a signal writes no profile, so one is told to exit instead. */
function toNodeOptions({ profileFolder, tellsMemory }: ArenaOptions, folder: string): readonly string[] {
  if (tellsMemory === true) {
    const teller = new URL('heap-on-signal.ts', import.meta.url)
    teller.searchParams.set('file', heapFile(folder))
    return ['--expose-gc', '--import', teller.href]
  }
  if (profileFolder === undefined) return []
  const exiting = pathOf('exit-on-sigterm.ts')
  return ['--cpu-prof', '--cpu-prof-interval', '500', `--cpu-prof-dir=${profileFolder}`, '--import', exiting]
}
