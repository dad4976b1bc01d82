import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../test/support/ports.ts'
import { startRedis } from '../test/support/redis.ts'
import { type MeasureOptions, measure, type Sample } from './measure.ts'
import type { Gateway, StartGateway, World } from './peers/gateway.ts'
import { hasCoatcheck, hasNginx, startBare, startExpress, startNaive, startNginx } from './peers/others.ts'
import { cores, pin, start } from './processes.ts'
import { type RunFacts, renderReport } from './report.ts'
import { type Scenario, scenarios } from './scenarios.ts'
import { makeSessions } from './world.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '50' },
    /** Only the scenarios whose names contain this. */
    only: { type: 'string', default: '' },
    /** Prints the page instead of writing it: for runs that are too short to keep. */
    print: { type: 'boolean', default: false },
  },
})
const facts: RunFacts = {
  rounds: Number(options.rounds),
  seconds: Number(options.seconds),
  connections: Number(options.connections),
}
/** A run that takes longer than this hangs, milliseconds. */
const runLimitMs = 45 * 60_000
const here = fileURLToPath(new URL('.', import.meta.url))
const stops: (() => Promise<unknown>)[] = []

async function startWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-bench-'))
  stops.push(() => rm(folder, { recursive: true, force: true }))
  const redis = await startRedis()
  stops.push(redis.stop)
  pin(cores.rest, redis.process.pid ?? 0)
  const port = await freePort()
  const args = [join(here, 'upstream.ts')]
  const command = { name: 'upstream', file: process.execPath, args, core: cores.rest, port }
  const upstream = await start({ ...command, env: { PORT: `${port}` } })
  stops.push(upstream.stop)
  const upstreamUrl = `http://127.0.0.1:${port}`
  return { folder, redis: redis.client(), redisUrl: redis.url, upstreamUrl, sessions: makeSessions() }
}

/** Bare first: the ratios are to it. */
async function gatewayStarters(): Promise<readonly StartGateway[]> {
  const starters = [startBare, startNaive, startExpress]
  if (hasNginx) starters.push(startNginx)
  if (!hasCoatcheck) return starters
  const { startCoatcheck } = await import('./peers/coatcheck.ts')
  const own = (['on', 'off'] as const).map<StartGateway>(
    (cache) => (world, port) => startCoatcheck(world, port, cache),
  )
  return [...starters, ...own]
}

async function startGateways(world: World): Promise<readonly Gateway[]> {
  const gateways: Gateway[] = []
  for (const startOne of await gatewayStarters()) {
    const gateway = await startOne(world, await freePort())
    stops.push(gateway.stop)
    gateways.push(gateway)
  }
  return gateways
}

async function runScenario(
  scenario: Scenario,
  gateways: readonly Gateway[],
  measureOptions: MeasureOptions,
): Promise<ReadonlyMap<string, readonly Sample[]>> {
  const samples = new Map<string, Sample[]>(gateways.map(({ name }) => [name, []]))
  for (let round = 0; round <= facts.rounds; round += 1) {
    for (const gateway of gateways) {
      const sample = await measure(gateway, scenario, measureOptions)
      // The first round only warms up.
      if (round > 0) samples.get(gateway.name)?.push(sample)
    }
    process.stdout.write(`${scenario.name}: round ${round} of ${facts.rounds}\n`)
  }
  return samples
}

async function run(): Promise<void> {
  pin(cores.rest, process.pid)
  const world = await startWorld()
  const gateways = await startGateways(world)
  const measureOptions = { ...facts, redis: world.redis, folder: world.folder }
  const results = new Map<string, ReadonlyMap<string, readonly Sample[]>>()
  for (const scenario of scenarios.filter(({ name }) => name.includes(options.only))) {
    results.set(scenario.name, await runScenario(scenario, gateways, measureOptions))
  }
  const page = renderReport(results, facts)
  if (options.print) process.stdout.write(`\n${page}`)
  else await writeFile(join(here, 'RESULTS.md'), page)
}

async function stopAll(): Promise<void> {
  for (const stop of stops.splice(0).reverse()) await stop()
}

async function cutOff(reason: string): Promise<never> {
  process.stderr.write(`${reason}\n`)
  await stopAll()
  process.exit(1)
}

if (!existsSync(join(here, 'node_modules'))) execFileSync('npm', ['ci'], { cwd: here, stdio: 'inherit' })
setTimeout(() => void cutOff('the benchmark took too long'), runLimitMs).unref()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cutOff(`ended by ${signal}`))
try {
  await run()
} finally {
  await stopAll()
}
