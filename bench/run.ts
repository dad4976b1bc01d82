import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Arena, openArena } from './arena.ts'
import { compare, type ScenarioSamples } from './compare.ts'
import { coatcheckWith } from './peers/coatcheck.ts'
import type { Gateway, StartGateway } from './peers/gateway.ts'
import { hasNginx, startBare, startExpress, startNaive, startNginx } from './peers/others.ts'
import { cores, pin } from './processes.ts'
import { type RunFacts, renderReport } from './report.ts'
import { scenarios } from './scenarios.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '50' },
    /** Only the scenarios whose names contain this. */
    only: { type: 'string', default: '' },
    /** Only these gateways, by the keys of `starters`, separated by commas. */
    gateways: { type: 'string', default: 'bare,naive,express,nginx,on,off' },
    /** A folder for CPU profiles of the gateways; numbers of such a run mean nothing. */
    profile: { type: 'string' },
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

/** Bare first: the ratios are to it. */
const starters: Readonly<Record<string, StartGateway>> = {
  bare: startBare,
  naive: startNaive,
  express: startExpress,
  ...(hasNginx && { nginx: startNginx }),
  on: coatcheckWith('Coatcheck, cache on', { SESSION_CACHE: 'on' }),
  off: coatcheckWith('Coatcheck, cache off', { SESSION_CACHE: 'off' }),
}

async function enterAll(arena: Arena): Promise<readonly Gateway[]> {
  const wanted = options.gateways.split(',')
  const gateways: Gateway[] = []
  for (const [key, start] of Object.entries(starters)) {
    if (wanted.includes(key)) gateways.push(await arena.enter(start))
  }
  return gateways
}

async function run(arena: Arena): Promise<void> {
  const gateways = await enterAll(arena)
  const { redis, folder } = arena.world
  const results = new Map<string, ScenarioSamples>()
  for (const scenario of scenarios.filter(({ name }) => name.includes(options.only))) {
    results.set(scenario.name, await compare(scenario, gateways, { ...facts, redis, folder }))
  }
  const page = renderReport(results, facts)
  if (options.print) process.stdout.write(`\n${page}`)
  else await writeFile(join(here, 'RESULTS.md'), page)
}

async function cutOff(arena: Arena, reason: string): Promise<never> {
  process.stderr.write(`${reason}\n`)
  await arena.close()
  process.exit(1)
}

if (!existsSync(join(here, 'node_modules'))) execFileSync('npm', ['ci'], { cwd: here, stdio: 'inherit' })
pin(cores.rest, process.pid)
const profileFolder = options.profile === undefined ? undefined : resolve(options.profile)
if (profileFolder !== undefined) await mkdir(profileFolder, { recursive: true })
const arena = await openArena(profileFolder === undefined ? {} : { profileFolder })
setTimeout(() => void cutOff(arena, 'the benchmark took too long'), runLimitMs).unref()
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void cutOff(arena, `ended by ${signal}`))
try {
  await run(arena)
} finally {
  await arena.close()
}
