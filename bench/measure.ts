import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { Pool } from 'undici'
import { readCommandCounts, totalBetween } from '../test/support/command-counts.ts'
import { type LoadResult, runLoad } from './load/load.ts'
import type { Gateway } from './peers/gateway.ts'
import { cpuMs, residentMb } from './proc-stat.ts'
import { isRefusalOwed, type Scenario } from './scenarios.ts'

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

type Headers = readonly (readonly [name: string, value: string])[]

/** What a browser sends with `fetch` from a page, without the cookie. */
function browserHeaders(origin: string, { site }: Scenario): Headers {
  return [
    ['Host', new URL(origin).host],
    ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
    ['Accept', 'application/json'],
    ['Accept-Language', 'en-GB,en;q=0.8'],
    ['Accept-Encoding', 'gzip, deflate, br, zstd'],
    ['Content-Type', 'application/json'],
    ['Sec-Fetch-Dest', 'empty'],
    ['Sec-Fetch-Mode', 'cors'],
    ['Sec-Fetch-Site', site],
    ['Origin', site === 'same-origin' ? origin : 'https://elsewhere.example'],
    ['X-CSRF', '1'],
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
  const { pid } = gateway
  const { redis, connections, seconds } = options
  const files = await writeRequests(gateway, scenario, options.folder)
  await leadIn(gateway, scenario)
  const commandsBefore = await readCommandCounts(redis)
  const cpuBeforeMs = cpuMs(pid)
  const asked = requestOf(gateway, scenario)
  const result = await runLoad({ ...scenario, ...asked, ...files, connections, seconds })
  const usedMs = cpuMs(pid) - cpuBeforeMs
  const commands = totalBetween(commandsBefore, await readCommandCounts(redis))
  if (!isAsOwed(result, gateway, scenario)) {
    const answer = await sampleAnswer(gateway, scenario)
    throw new Error(
      `${gateway.name}, ${scenario.name}: wrong answers: ${JSON.stringify(result)}, such as ${answer}`,
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

/** Where a scenario's request goes: to the gateway, or to where another proxy asks it. */
function requestOf({ origin, checks }: Gateway, { path }: Scenario) {
  return checks === undefined ? { origin, path } : { origin: checks, path: '/check' }
}

function headersOf(gateway: Gateway, scenario: Scenario): Headers {
  const headers = browserHeaders(gateway.origin, scenario)
  if (gateway.checks === undefined) return headers
  return [
    ...headers,
    ['X-Forwarded-Method', scenario.method],
    ['X-Forwarded-Uri', scenario.path],
    ['X-Forwarded-Host', new URL(gateway.origin).host],
    ['X-Forwarded-Proto', 'http'],
  ]
}

async function writeRequests(gateway: Gateway, scenario: Scenario, folder: string) {
  const headersFile = join(folder, 'headers')
  const cookiesFile = join(folder, 'cookies')
  const headers = headersOf(gateway, scenario)
  await writeFile(headersFile, headers.map((header) => `${header.join(': ')}\n`).join(''))
  await writeFile(cookiesFile, cookieLines(gateway, scenario))
  return { headersFile, cookiesFile }
}

/** A gateway without sessions is sent a cookie of the same size that means nothing to it. */
function cookieLines({ cookies }: Gateway, { sessions }: Scenario): string {
  const some = cookies.length > 0 ? cookies : [`unknown=${'x'.repeat(43)}`]
  return some
    .slice(0, sessions)
    .map((cookie) => `${cookie}\n`)
    .join('')
}

const leadInConnections = 16

/**
 * Asks once for each session, unmeasured: while its neighbours were measured, what this gateway remembers for ten seconds ran
 * out, and a second of load would pay for all of it at once. What remembering really costs is measured by the steady load.
 */
async function leadIn(gateway: Gateway, scenario: Scenario): Promise<void> {
  const { origin, path } = requestOf(gateway, scenario)
  const pool = new Pool(origin, { connections: leadInConnections })
  const headers = headersOf(gateway, scenario).flat()
  const ask = async (cookie: string): Promise<void> => {
    const sent = [...headers, 'cookie', cookie]
    const { body } = await pool.request({ path, method: 'GET', headers: sent })
    await body.dump()
  }
  const cookies = gateway.cookies.length > 0 ? gateway.cookies : Array<string>(1_000).fill('unknown=x')
  await Promise.all(cookies.slice(0, scenario.sessions).map(ask))
  await pool.close()
}

function isAsOwed(result: LoadResult, gateway: Gateway, scenario: Scenario): boolean {
  const refusals = isRefusalOwed(scenario, gateway) ? result.requests : 0
  const leastBytes = refusals === 0 ? result.requests * scenario.answerBytes : 0
  return (
    result.requests > 0 &&
    result.broken === 0 &&
    result.refused === refusals &&
    result.receivedBytes >= leastBytes
  )
}

/** One answer in words, so that a failed run says why. */
async function sampleAnswer(gateway: Gateway, scenario: Scenario): Promise<string> {
  const { method } = scenario
  const { origin, path } = requestOf(gateway, scenario)
  const headers = [...headersOf(gateway, scenario), ['cookie', gateway.cookies[0] ?? '']]
  const init = { method, headers: Object.fromEntries(headers), signal: AbortSignal.timeout(5_000) }
  const response = await fetch(origin + path, init)
  return `${response.status} ${(await response.text()).slice(0, 500)}`
}
