import { execFileSync } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'
import { isPinned } from '../arena/processes.ts'
import { generator } from '../load/load.ts'
import type { ScenarioSamples } from '../parts/compare.ts'
import type { Sample } from '../parts/measure.ts'
import { median } from './statistics.ts'
import { table } from './table.ts'

/** How a run was done. */
export interface RunFacts {
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
}

/** The best round: on a machine that others use too, the nearest to what a quiet one would show. */
function best(samples: readonly Sample[], of: keyof Sample): number {
  return Math.min(...samples.map((sample) => sample[of]))
}

/** Median of the ratios within each round: neighbours on the machine disturb both sides of a pair alike. */
export function pairedRatio(samples: readonly Sample[], base: readonly Sample[], of: keyof Sample): string {
  const ratios = samples.map((sample, round) => sample[of] / (base[round]?.[of] ?? Number.NaN))
  return median(ratios).toFixed(2)
}

const head = [
  'Gateway',
  'CPU, ratio',
  'of best rounds',
  'req/s, ratio',
  'p99, ratio',
  'CPU µs/req',
  'best',
  'req/s',
  'p50 ms',
  'p99 ms',
  'Redis commands/req',
  'memory MB',
]

function toRow(name: string, samples: readonly Sample[], base: readonly Sample[]): readonly string[] {
  const middle = (of: keyof Sample, digits: number): string =>
    median(samples.map((sample) => sample[of])).toFixed(digits)
  const bestCpuUs = best(samples, 'cpuUsPerRequest')
  return [
    name,
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
}

/** The samples of a scenario as a table. */
export function renderScenario(samples: ScenarioSamples): string {
  const base = [...samples.values()][0] ?? []
  return table(
    head,
    [...samples].map(([name, rounds]) => toRow(name, rounds, base)),
  )
}

function revision(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}

/** A part of the results page. */
export interface Section {
  readonly title: string
  /** Markdown. */
  readonly body: string
}

/** The results page. */
export function renderPage(sections: readonly Section[], { rounds, seconds, connections }: RunFacts): string {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB`
  const apart = isPinned ? 'gateways on a processor of their own' : 'nothing pinned to a processor'
  const load = loadavg().map((value) => value.toFixed(1))
  return `# Benchmark results

Written by \`npm run bench\`; [how to read and repeat it](../docs/performance.md).

- ${new Date().toISOString().slice(0, 10)}, revision ${revision()}, Node ${process.version}, ${machine}, load average at the end ${load.join(' ')}
- ${rounds} rounds of ${seconds} s after a warm-up, each visiting every gateway in turn; ${connections} connections; ${apart}
- load: ${generator}; CPU: the kernel's account of the gateway's processes; Redis: \`INFO commandstats\`

Medians, unless a column says otherwise. Ratios are to the first row, taken within each round. Every gateway sends the API a bearer of
1.2 KB. Gateways without sessions refuse nobody: under "Refused" they forward.

${sections.map(({ title, body }) => `## ${title}\n\n${body}`).join('\n')}`
}
