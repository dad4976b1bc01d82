import { type Redis, ReplyError } from 'ioredis'
import { textOf } from '../../../../basics/text.ts'
import { type DeniedCommand, findDeniedCommands } from './rights.ts'

/** What is found out about one server. A part that our user may not ask for is empty or `undefined`. */
export interface RedisServerFacts {
  /** `INFO server`. */
  readonly server: string
  /** `INFO memory`. */
  readonly memory: string
  /** `INFO persistence`. */
  readonly persistence: string
  /** `CONFIG GET save`: when snapshots are written; an empty text for never. */
  readonly savePoints: string | undefined
  /** Median round trip, milliseconds. */
  readonly latencyMs: number
  /** Its clock ahead of ours, milliseconds. */
  readonly aheadMs: number | undefined
  /** What our user may not do there although the gateway needs it. */
  readonly denied: readonly DeniedCommand[]
}

const pings = 5

/**
 * Asks one server how it is.
 *
 * @param isMaster whether it is one of a Cluster, which has some of the slots
 * @param now the clock, epoch milliseconds
 * @returns rejects when it does not do what it should, or the connection breaks
 */
export async function askFacts(
  server: Redis,
  isMaster: boolean,
  now: () => number,
): Promise<RedisServerFacts> {
  const latencyMs = await measureLatency(server)
  const info = async (section: string): Promise<string> => (await unlessRefused(server.info(section))) ?? ''
  return {
    latencyMs,
    server: await info('server'),
    memory: await info('memory'),
    persistence: await info('persistence'),
    savePoints: await askSavePoints(server),
    aheadMs: await measureClock(server, now),
    denied: await findDeniedCommands(server, isMaster),
  }
}

/** `undefined` for what is answered with an error. That is an answer, which a connection that breaks does not give. */
async function unlessRefused<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error
    return undefined
  }
}

async function measureLatency(server: Redis): Promise<number> {
  const times: number[] = []
  for (let count = 0; count < pings; count += 1) {
    const startedMs = performance.now()
    await unlessRefused(server.ping())
    times.push(performance.now() - startedMs)
  }
  return times.toSorted((left, right) => left - right)[Math.floor(pings / 2)] ?? 0
}

/** Managed servers often keep CONFIG to themselves. */
async function askSavePoints(server: Redis): Promise<string | undefined> {
  const reply: unknown = await unlessRefused(server.config('GET', 'save'))
  const [, value]: readonly unknown[] = Array.isArray(reply) ? reply : []
  return textOf(value)
}

async function measureClock(server: Redis, now: () => number): Promise<number | undefined> {
  const startedMs = now()
  const [seconds, microseconds] = (await unlessRefused(server.time())) ?? []
  if (seconds === undefined) return undefined
  const theirsMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000
  return theirsMs - (startedMs + now()) / 2
}
