import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { runLoad } from './load/load.ts'
import type { Gateway } from './peers/gateway.ts'
import { cpuMs, residentMb } from './proc-stat.ts'
import { commandsBetween, readCommandCounts } from './redis-stats.ts'
import type { Scenario } from './scenarios.ts'

/** One gateway, one scenario, one round. */
export interface Sample {
  readonly requestsPerSecond: number
  readonly cpuUsPerRequest: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly redisPerRequest: number
  readonly residentMb: number
}

/** What a measurement needs besides gateway and scenario. */
export interface MeasureOptions {
  readonly redis: Redis
  readonly folder: string
  readonly connections: number
  readonly seconds: number
}

/** What a browser sends with `fetch` from a page of the same origin, without the cookie. */
function browserHeaders(origin: string): readonly string[] {
  return [
    `Host: ${new URL(origin).host}`,
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    'Accept: application/json',
    'Accept-Language: en-GB,en;q=0.8',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Content-Type: application/json',
    'Sec-Fetch-Dest: empty',
    'Sec-Fetch-Mode: cors',
    'Sec-Fetch-Site: same-origin',
    `Origin: ${origin}`,
    'X-CSRF: 1',
  ]
}

/**
 * Loads a gateway for some seconds and reads the kernel's and Redis' counters before and after.
 *
 * @throws Error when an answer is missing or is not what this gateway owes to this scenario: such a number would mean nothing
 */
export async function measure(
  gateway: Gateway,
  scenario: Scenario,
  options: MeasureOptions,
): Promise<Sample> {
  const { folder, redis, connections, seconds } = options
  const headersFile = join(folder, 'headers')
  const cookiesFile = join(folder, 'cookies')
  await writeFile(headersFile, `${browserHeaders(gateway.origin).join('\n')}\n`)
  await writeFile(cookiesFile, cookieLines(gateway, scenario))
  const commandsBefore = await readCommandCounts(redis)
  const cpuBeforeMs = cpuMs(gateway.pid)
  const { origin, pid } = gateway
  const result = await runLoad({ ...scenario, origin, headersFile, cookiesFile, connections, seconds })
  const usedMs = cpuMs(pid) - cpuBeforeMs
  const commands = commandsBetween(commandsBefore, await readCommandCounts(redis))
  const owed = scenario.sessions === 0 && gateway.cookies.length > 0 ? result.requests : 0
  if (result.requests === 0 || result.broken > 0 || result.refused !== owed) {
    throw new Error(
      `${gateway.name}, ${scenario.name}: wrong answers: ${JSON.stringify(result)}, such as ${await sampleAnswer(gateway, scenario)}`,
    )
  }
  return {
    requestsPerSecond: (result.requests / result.durationMs) * 1_000,
    cpuUsPerRequest: (usedMs / result.requests) * 1_000,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    redisPerRequest: commands / result.requests,
    residentMb: residentMb(pid),
  }
}

/** One answer in words, so that a failed run says why. */
async function sampleAnswer({ origin, cookies }: Gateway, { method, path }: Scenario): Promise<string> {
  const headers = { cookie: cookies[0] ?? '', 'sec-fetch-site': 'same-origin', 'x-csrf': '1' }
  const response = await fetch(origin + path, { method, headers, signal: AbortSignal.timeout(5_000) })
  return `${response.status} ${(await response.text()).slice(0, 500)}`
}

/** A gateway without sessions is sent a cookie of the same size that means nothing to it. */
function cookieLines({ cookies }: Gateway, { sessions }: Scenario): string {
  const some = cookies.length > 0 ? cookies : [`unknown=${'x'.repeat(43)}`]
  return some
    .slice(0, sessions)
    .map((cookie) => `${cookie}\n`)
    .join('')
}
