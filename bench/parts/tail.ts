import { runOpenLoop } from '../load/load.ts'
import type { Gateway } from '../peers/gateway.ts'
import { median } from '../report/statistics.ts'
import { table, whole } from '../report/table.ts'
import { type MeasureOptions, measure } from './measure.ts'
import { leadIn, requestOf, writeRequests } from './requests.ts'
import { usual } from './scenarios.ts'

/** How the tail of answers is measured: well below what the base can do, so that waiting is what a pause makes it, not a queue. */
const shareOfMost = 0.6
const secondsEach = 5
const rounds = 5
const roundsForMost = 3

/** One gateway's answers in an open loop. */
export interface Tail {
  readonly name: string
  readonly p50Ms: number
  readonly p99Ms: number
  /** To the first gateway. */
  readonly p99Ratio: number
}

/**
 * An open loop at 60 % of the most that the first gateway answers in a closed one, on each gateway in turn.
 *
 * @returns medians of five rounds, in the order of the gateways
 */
export async function measureTails(
  gateways: readonly Gateway[],
  options: MeasureOptions,
): Promise<readonly Tail[]> {
  const [base] = gateways
  if (base === undefined) return []
  const most: number[] = []
  for (let round = 0; round < roundsForMost; round += 1)
    most.push((await measure(base, usual, options)).requestsPerSecond)
  const perSecond = Math.floor(median(most) * shareOfMost)
  const samples = gateways.map((gateway) => ({ gateway, p50Ms: [] as number[], p99Ms: [] as number[] }))
  for (let round = 0; round < rounds; round += 1) {
    for (const sample of round % 2 === 0 ? samples : samples.toReversed()) {
      const { p50Ms, p99Ms } = await openLoop(sample.gateway, options, perSecond)
      sample.p50Ms.push(p50Ms)
      sample.p99Ms.push(p99Ms)
    }
    process.stderr.write(`open loop, ${perSecond} a second: round ${round + 1} of ${rounds}\n`)
  }
  const baseMs = samples[0]?.p99Ms ?? []
  return samples.map(({ gateway: { name }, p50Ms, p99Ms }) => ({
    name,
    p50Ms: median(p50Ms),
    p99Ms: median(p99Ms),
    p99Ratio: median(p99Ms) / median(baseMs),
  }))
}

/** @throws Error when an answer is missing or refused */
async function openLoop(gateway: Gateway, options: MeasureOptions, perSecond: number) {
  const files = await writeRequests(gateway, usual, options.folder)
  await leadIn(gateway, usual)
  const load = { ...usual, ...requestOf(gateway, usual), ...files, seconds: secondsEach }
  const result = await runOpenLoop({ ...load, connections: options.connections }, perSecond)
  if (result.broken > 0 || result.refused > 0)
    throw new Error(`${gateway.name}, open loop: wrong answers: ${JSON.stringify(result)}`)
  return result
}

/** As a table. */
export function renderTails(tails: readonly Tail[]): string {
  const rows = tails.map(({ name, p50Ms, p99Ms, p99Ratio }) => [
    name,
    p50Ms.toFixed(2),
    p99Ms.toFixed(2),
    p99Ratio.toFixed(2),
  ])
  return table(['Gateway', 'p50 ms', 'p99 ms', 'p99, ratio'], rows)
}

/** What stands above the table. */
export const tailTitle = `Open loop: ${usual.name}, at ${whole(shareOfMost * 100)} % of what bare answers at most, ${rounds} runs of ${secondsEach} s`
