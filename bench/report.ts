import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import type { ScenarioSamples } from './compare.ts'
import { generator } from './load/load.ts'
import type { Sample } from './measure.ts'
import { isPinned } from './processes.ts'

/** How a run was done. */
export interface RunFacts {
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** The best round: on a machine that others use too, the nearest to what a quiet one would show. */
function best(samples: readonly Sample[], of: keyof Sample): number {
  return Math.min(...samples.map((sample) => sample[of]))
}

/** Median of the ratios within each round: neighbours on the machine disturb both sides of a pair alike. */
function pairedRatio(samples: readonly Sample[], base: readonly Sample[], of: keyof Sample): string {
  const ratios = samples.map((sample, round) => sample[of] / (base[round]?.[of] ?? Number.NaN))
  return median(ratios).toFixed(2)
}

const head = `| Gateway | CPU, ratio | of best rounds | req/s, ratio | p99, ratio | CPU µs/req | best | req/s | p50 ms | p99 ms | Redis commands/req | memory MB |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|`

function renderRow(name: string, samples: readonly Sample[], base: readonly Sample[]): string {
  const middle = (of: keyof Sample, digits: number): string =>
    median(samples.map((sample) => sample[of])).toFixed(digits)
  const bestCpuUs = best(samples, 'cpuUsPerRequest')
  const cells = [
    pairedRatio(samples, base, 'cpuUsPerRequest'),
    (bestCpuUs / best(base, 'cpuUsPerRequest')).toFixed(2),
    pairedRatio(samples, base, 'requestsPerSecond'),
    pairedRatio(samples, base, 'p99Ms'),
    middle('cpuUsPerRequest', 1),
    bestCpuUs.toFixed(1),
    middle('requestsPerSecond', 0),
    middle('p50Ms', 2),
    middle('p99Ms', 2),
    middle('redisPerRequest', 3),
    middle('residentMb', 0),
  ]
  return `| ${[name, ...cells].join(' | ')} |`
}

function renderScenario(name: string, samples: ScenarioSamples): string {
  const base = [...samples.values()][0] ?? []
  const rows = [...samples].map(([gateway, rounds]) => renderRow(gateway, rounds, base))
  return [`## ${name}`, '', head, ...rows, ''].join('\n')
}

function revision(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}

/** The results page, from the samples of a run. */
export function renderReport(
  results: ReadonlyMap<string, ScenarioSamples>,
  { rounds, seconds, connections }: RunFacts,
): string {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB`
  const apart = isPinned ? 'gateways on a processor of their own' : 'nothing pinned to a processor'
  const facts = [
    `- ${new Date().toISOString().slice(0, 10)}, revision ${revision()}, Node ${process.version}, ${machine}`,
    `- ${rounds} rounds of ${seconds} s after a warm-up, each visiting every gateway in turn; ${connections} connections; ${apart}`,
    `- load: ${generator}; CPU: the kernel's account of the gateway's process; Redis: \`INFO commandstats\``,
  ]
  const reading = `Medians. Ratios are to the first row, taken within each round. Every gateway sends the API a bearer of 1.2 KB.
Gateways without sessions refuse nobody: under "Refused" they forward.`
  const tables = [...results].map(([name, samples]) => renderScenario(name, samples))
  return [
    '# Benchmark results',
    '',
    'Written by `npm run bench`.',
    '',
    ...facts,
    '',
    reading,
    '',
    ...tables,
  ].join('\n')
}
