import type { Redis } from 'ioredis'
import { readCommandCounts, totalBetween } from '../../test/support/redis/command-counts.ts'
import { cpuMs, residentMb } from '../arena/proc-stat.ts'
import { type LoadResult, runLoad } from '../load/load.ts'
import type { Gateway } from '../peers/gateway.ts'
import { leadIn, requestOf, sampleAnswer, writeRequests } from './requests.ts'
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
