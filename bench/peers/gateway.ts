import { fileURLToPath } from 'node:url'
import type { Redis } from 'ioredis'
import { cores, start } from '../arena/processes.ts'
import type { BenchSession } from '../arena/world.ts'

/** What a gateway is started with. */
export interface World {
  readonly upstreamUrl: string
  readonly redis: Redis
  readonly redisUrl: string
  readonly sessions: readonly BenchSession[]
  /** A folder that is deleted after the run. */
  readonly folder: string
  /** Options of Node itself for every gateway that runs on it: none, unless it is profiled. */
  readonly nodeOptions: readonly string[]
}

/** A gateway that runs. */
export interface Gateway {
  readonly name: string
  readonly pid: number
  /** As browsers know it. */
  readonly origin: string
  /** Where it listens, when that is another: TLS ends before it. */
  readonly connects?: string
  /** What callers show, if it is no cookie. */
  readonly shows?: 'Cookie' | 'Authorization'
  /** Cookie header, or what else is shown, of each session; empty when the gateway has none, and so lets everybody pass. */
  readonly cookies: readonly string[]
  /** Origin of the listener where it is only asked about requests that somebody else carries: that is measured then. */
  readonly checks?: string
  /** Whether it refuses requests from foreign sites. */
  readonly checksOrigin: boolean
  stop(): Promise<void>
}

/** Starts a gateway on a port. */
export type StartGateway = (world: World, port: number) => Promise<Gateway>

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** Starts one of the Node programs of this folder; all take the same settings. */
export async function startNode(
  name: string,
  file: string,
  world: World,
  port: number,
): Promise<Omit<Gateway, 'cookies'>> {
  const running = await start({
    name,
    file: process.execPath,
    args: [...world.nodeOptions, pathOf(file)],
    env: {
      PORT: `${port}`,
      UPSTREAM_URL: world.upstreamUrl,
      REDIS_URL: world.redisUrl,
      BEARER: world.sessions[0]?.accessToken ?? '',
    },
    core: cores.gateway,
    port,
  })
  return { ...running, name, origin: `http://127.0.0.1:${port}`, checksOrigin: false }
}

/** Writes what a gateway keeps of the sessions to Redis, in one go. */
export async function seed(
  { redis, sessions }: World,
  lifetimeSeconds: number,
  entryOf: (session: BenchSession) => readonly [key: string, value: string],
): Promise<void> {
  const pipeline = redis.pipeline()
  for (const session of sessions) pipeline.set(...entryOf(session), 'EX', lifetimeSeconds)
  await pipeline.exec()
}
