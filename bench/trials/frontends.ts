/**
 * Fifty frontends in rotation against one: `node bench/trials/frontends.ts [rounds] [counts]`. The same requests, sessions and number of connections
 * to the API, which are counted; each gateway in turn on a processor of its own. Counts such as `1,2,5,10,25,50` show how the cost grows. With
 * `BENCH_OTHER_TREE` the gateway of that folder does the same in the same rounds; ratios are to one frontend of the same tree.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startScriptedProvider } from '../../test/support/provider/scripted-provider.ts'
import { openArena } from '../arena/arena.ts'
import { connectionsTo, cpuMs } from '../arena/proc-stat.ts'
import { cores, pin } from '../arena/processes.ts'
import { headerLines, runLanes } from '../load/load.ts'
import { otherCliPath } from '../peers/cli.ts'
import type { World } from '../peers/gateway.ts'
import { type BenchHouse, hostOf, startHouse } from '../peers/house.ts'
import { median } from '../report/statistics.ts'
import { table } from '../report/table.ts'

const rounds = Number(process.argv[2] ?? 9)
const connections = 50
const counts = (process.argv[3] ?? `1,${connections}`).split(',').map(Number)
const sessionsInAll = 1_000
const seconds = 2
/** Before each measurement: what is remembered for ten seconds ran out, and connections were closed, while the others were measured. */
const leadInSeconds = 1
/** Before the first: until the engine has compiled what is hot, of which each frontend has functions of its own, made by the router. */
const warmUpSeconds = 15
const page = { Accept: 'application/json', 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' }

interface Entrant {
  readonly name: string
  readonly cli: string | undefined
  readonly house: BenchHouse
  readonly headersFile: string
  readonly cookiesFile: string
}

interface Sample {
  readonly cpuUs: number
  readonly perSecond: number
  readonly connections: number
}

async function enter(world: World, count: number, issuer: string, cli?: string): Promise<Entrant> {
  const names = Array.from({ length: count }, (_, at) => `shop${at}`)
  const house = await startHouse(world, { names, issuerOf: () => issuer, cli, env: { RATE_LIMIT: 'off' } })
  const each = sessionsInAll / count
  const held: (readonly string[])[] = []
  for (const name of names) held.push(await house.signIn(name, each))
  // The frontends take turns.
  const lines = Array.from({ length: each }, (_, at) =>
    names.map((name, of) => `Host: ${hostOf(name)}\tCookie: ${held[of]?.[at] ?? ''}\n`),
  )
  const [headersFile, cookiesFile] = [
    join(world.folder, 'headers'),
    join(world.folder, `cookies-${house.port}`),
  ]
  await writeFile(headersFile, headerLines(Object.entries(page)))
  await writeFile(cookiesFile, lines.flat().join(''))
  const name = count === 1 ? 'one frontend' : `${count} frontends in turn`
  return {
    name: cli === undefined ? name : `${name}, the other tree`,
    cli,
    house,
    headersFile,
    cookiesFile,
  }
}

async function measure(
  { name, house, ...files }: Entrant,
  upstreamPort: number,
  leadIn: number,
): Promise<Sample> {
  const origin = `http://127.0.0.1:${house.port}`
  const load = { origin, method: 'GET', path: '/api/1k', ...files, bodyBytes: 0, connections }
  await runLanes({ ...load, seconds: leadIn })
  const beforeMs = cpuMs(house.pid)
  const result = await runLanes({ ...load, seconds })
  const usedMs = cpuMs(house.pid) - beforeMs
  const { requests, refused, broken } = result
  if (refused + broken > 0 || requests === 0)
    throw new Error(`${name}: wrong answers: ${JSON.stringify(result)}`)
  return {
    cpuUs: (usedMs / requests) * 1_000,
    perSecond: (requests / result.durationMs) * 1_000,
    connections: connectionsTo(upstreamPort, house.pid),
  }
}

function report(seen: ReadonlyMap<Entrant, readonly Sample[]>): string {
  const entrants = [...seen]
  const rows = entrants.map(([{ name, cli }, samples]) => {
    const [, base = []] = entrants.find(([entrant]) => entrant.cli === cli) ?? []
    const baseUs = base.map(({ cpuUs }) => cpuUs)
    const cpuUs = samples.map((sample) => sample.cpuUs)
    const ratio = median(cpuUs.map((used, round) => used / (baseUs[round] ?? Number.NaN)))
    const best = Math.min(...cpuUs) / Math.min(...baseUs)
    const of = (value: (sample: Sample) => number): string => median(samples.map(value)).toFixed(0)
    const counts = [of(({ perSecond }) => perSecond), of(({ connections }) => connections)]
    return [name, ...counts, median(cpuUs).toFixed(1), ratio.toFixed(3), best.toFixed(3)]
  })
  const head = ['', 'requests/s', 'connections to the API', 'CPU µs', 'ratio', 'of best rounds']
  return table(head, rows)
}

const arena = await openArena()
const provider = await startScriptedProvider({ clientId: 'bench' })
const entrants: Entrant[] = []
try {
  pin(cores.rest, process.pid)
  const { world } = arena
  for (const count of counts) {
    entrants.push(await enter(world, count, provider.issuer))
    if (otherCliPath !== undefined) entrants.push(await enter(world, count, provider.issuer, otherCliPath))
  }
  const seen = new Map(entrants.map((entrant): [Entrant, Sample[]] => [entrant, []]))
  for (let round = 0; round <= rounds; round += 1) {
    const leadIn = round === 0 ? warmUpSeconds : leadInSeconds
    for (const [entrant, samples] of round % 2 === 0 ? seen : [...seen].toReversed()) {
      const sample = await measure(entrant, Number(new URL(world.upstreamUrl).port), leadIn)
      // The first round is the warm-up.
      if (round > 0) samples.push(sample)
    }
    process.stderr.write(`round ${round} of ${rounds}\n`)
  }
  process.stdout.write(report(seen))
} finally {
  for (const { house } of entrants) await house.stop()
  await provider.stop()
  await arena.close()
}
