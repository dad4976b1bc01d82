import { readFile, writeFile } from 'node:fs/promises'
import type { ScenarioSamples } from '../parts/compare.ts'
import type { Sample } from '../parts/measure.ts'
import { question, usual } from '../parts/scenarios.ts'
import { pairedRatio } from './page.ts'
import { median } from './statistics.ts'
import { table } from './table.ts'

const [bare, express] = ['bare @fastify/http-proxy', 'express-openid-connect + Redis']
const [on, off, logged] = ['Coatcheck, cache on', 'Coatcheck, cache off', 'Coatcheck, request log on']

/** A ratio between two gateways of one scenario that is to stay on one side of a bound. */
interface Goal {
  readonly what: string
  readonly scenario: string
  readonly of: keyof Sample
  readonly gateway: string
  readonly to: string
  readonly bound: { readonly atMost: number } | { readonly atLeast: number }
}

const usually = { scenario: usual.name, gateway: on, to: bare } as const
const notSlower = { gateway: on, to: bare } as const

const goals: readonly Goal[] = [
  { ...usually, what: 'GET 1 KB: CPU, to bare http-proxy', of: 'cpuUsPerRequest', bound: { atMost: 0.7 } },
  {
    ...usually,
    what: 'with the request log on: CPU, to bare',
    gateway: logged,
    of: 'cpuUsPerRequest',
    bound: { atMost: 0.85 },
  },
  { ...usually, what: 'throughput, to bare', of: 'requestsPerSecond', bound: { atLeast: 1.35 } },
  {
    ...usually,
    what: 'throughput, to the express peer',
    to: express,
    of: 'requestsPerSecond',
    bound: { atLeast: 3 },
  },
  {
    ...usually,
    what: 'cache off: CPU, to bare',
    gateway: off,
    of: 'cpuUsPerRequest',
    bound: { atMost: 1.2 },
  },
  {
    ...notSlower,
    what: 'forward-auth: CPU of a question, to a request that bare carries',
    scenario: question.name,
    gateway: 'Coatcheck, /check',
    of: 'cpuUsPerRequest',
    bound: { atMost: 0.55 },
  },
  ...['POST 10 KB, 1,000 sessions', 'GET 100 KB, 1,000 sessions'].map((scenario) => ({
    ...notSlower,
    what: `${scenario.split(',')[0]}: throughput, to bare`,
    scenario,
    of: 'requestsPerSecond' as const,
    bound: { atLeast: 1 },
  })),
]

/** Of Coatcheck to bare, measured otherwise than by scenarios; absent what was not run. */
export interface Ratios {
  p99?: number | undefined
  memory?: number | undefined
}

/** What was aimed at, and what came of it; what was not run is left out. */
export function renderGoals(results: ReadonlyMap<string, ScenarioSamples>, ratios: Ratios): string {
  const rows = [
    ...goals.flatMap((goal) => toRow(goal, results.get(goal.scenario))),
    ...ratioRow('p99 in an open loop, to bare', ratios.p99, 1),
    ...ratioRow('memory held with 1,000 sessions, to bare', ratios.memory, 1.15),
    ...refusalRow(results),
  ]
  return table(['Goal', 'aimed at', 'measured', 'reached'], rows)
}

function ratioRow(what: string, ratio: number | undefined, atMost: number): readonly (readonly string[])[] {
  if (ratio === undefined || Number.isNaN(ratio)) return []
  return [[what, `≤ ${atMost.toFixed(2)}`, ratio.toFixed(2), ratio <= atMost ? 'yes' : 'no']]
}

function toRow(goal: Goal, samples: ScenarioSamples | undefined): readonly (readonly string[])[] {
  const [own, base] = [samples?.get(goal.gateway), samples?.get(goal.to)]
  if (own === undefined || base === undefined) return []
  const ratio = pairedRatio(own, base, goal.of)
  const [sign, bound] = 'atMost' in goal.bound ? ['≤', goal.bound.atMost] : ['≥', goal.bound.atLeast]
  const isReached = sign === '≤' ? Number(ratio) <= bound : Number(ratio) >= bound
  return [[goal.what, `${sign} ${bound.toFixed(2)}`, ratio, isReached ? 'yes' : 'no']]
}

/** Refusing must be cheaper than serving. */
function refusalRow(results: ReadonlyMap<string, ScenarioSamples>): readonly (readonly string[])[] {
  const cpuUs = (scenario: string): number =>
    median((results.get(scenario)?.get(on) ?? []).map((sample) => sample.cpuUsPerRequest))
  const ratio = cpuUs('Refused: no session') / cpuUs(usual.name)
  if (Number.isNaN(ratio)) return []
  return [
    ['a refused request: CPU, to a signed-in one', '< 1.00', ratio.toFixed(2), ratio < 1 ? 'yes' : 'no'],
  ]
}

const page = new URL('../../docs/performance.md', import.meta.url)
const [begin, end] = ['<!-- goals: written by npm run bench -->', '<!-- end of goals -->']

/** Puts the table between its marks in the documentation. */
export async function writeGoals(rendered: string): Promise<void> {
  const text = await readFile(page, 'utf8')
  const [before, after] = [text.indexOf(begin) + begin.length, text.indexOf(end)]
  await writeFile(page, `${text.slice(0, before)}\n\n${rendered}\n${text.slice(after)}`)
}
