/**
 * `npm run bench`: everything, into `RESULTS.md`. `-- --parts requests --only 'GET 1 KB' --gateways bare,on --rounds 5 --print` runs a part
 * of it for a look.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../test/support/ports.ts'
import { type Arena, openArena } from './arena/arena.ts'
import { cores, pin } from './arena/processes.ts'
import { compare, type ScenarioSamples } from './parts/compare.ts'
import { compareStreams, type StreamKind } from './parts/compare-streams.ts'
import { measureMemory, renderMemory } from './parts/memory.ts'
import { question, scenarios, usual } from './parts/scenarios.ts'
import { measureTails, renderTails, tailTitle } from './parts/tail.ts'
import type { Gateway } from './peers/gateway.ts'
import { askers, peers, type Starters, variants, withoutSockets } from './peers/starters.ts'
import { type Ratios, renderGoals, writeGoals } from './report/goals.ts'
import { type RunFacts, renderPage, renderScenario, type Section } from './report/page.ts'
import { runScale } from './scale/run.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '50' },
    parts: { type: 'string', default: 'requests,streams,steady,tail,costs,check,memory,scale' },
    /** Only the scenarios whose names contain this. */
    only: { type: 'string', default: '' },
    /** Only these gateways, by the keys of `peers`, separated by commas; the other tree's is compared only where it is named. */
    gateways: {
      type: 'string',
      default: Object.keys(peers)
        .filter((key) => key !== 'other')
        .join(),
    },
    /** Only these things that can be turned on, by the keys of `variants`; the first is the base. */
    variants: { type: 'string', default: '' },
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
/** Rounds of what is measured beside the comparison. */
const fewRounds = Math.min(facts.rounds, 5)
/** Twice the life of a cached session, so that what remembering costs is in it, seconds. */
const steadySeconds = 20
const here = fileURLToPath(new URL('.', import.meta.url))

async function enter(arena: Arena, starters: Starters, keys: readonly string[]): Promise<Gateway[]> {
  const gateways: Gateway[] = []
  for (const [key, start] of Object.entries(starters)) {
    if (keys.includes(key)) gateways.push(await arena.enter(start))
  }
  return gateways
}

function measureOptions({ world }: Arena) {
  return { ...facts, redis: world.redis, folder: world.folder }
}

async function requestsPart(arena: Arena, gateways: readonly Gateway[]): Promise<readonly Section[]> {
  for (const scenario of scenarios.filter(({ name }) => name.includes(options.only))) {
    results.set(scenario.name, await compare(scenario, gateways, measureOptions(arena)))
  }
  return [...results].map(([title, samples]) => ({ title, body: renderScenario(samples) }))
}

const streamTitles: Readonly<Record<StreamKind, string>> = {
  events: 'Server-sent events: 50 streams, 100 events a second on each',
  echo: 'WebSocket echo: 50 connections, a message of 100 bytes at a time on each',
}

async function streamsPart(gateways: readonly (readonly [string, Gateway])[]): Promise<readonly Section[]> {
  const all = gateways.map(([, gateway]) => gateway)
  const sockets = gateways.filter(([key]) => !withoutSockets.includes(key)).map(([, gateway]) => gateway)
  const rounds = { rounds: fewRounds, seconds: facts.seconds }
  return [
    { title: streamTitles.events, body: await compareStreams('events', all, rounds) },
    { title: streamTitles.echo, body: await compareStreams('echo', sockets, rounds) },
  ]
}

async function steadyPart(arena: Arena, gateways: readonly Gateway[]): Promise<readonly Section[]> {
  const steady = { ...measureOptions(arena), seconds: steadySeconds, rounds: 2, isWarm: true }
  const title = `${usual.name}, for ${steadySeconds} s at a stretch`
  return [{ title, body: renderScenario(await compare(usual, gateways, steady)) }]
}

async function tailPart(arena: Arena, gateways: readonly Gateway[]): Promise<readonly Section[]> {
  const tails = await measureTails(gateways, measureOptions(arena))
  ratios.p99 = tails.at(-1)?.p99Ratio
  return [{ title: tailTitle, body: renderTails(tails) }]
}

/** In an arena of its own: what tells the memory is loaded into the gateways. */
async function memoryPart(): Promise<readonly Section[]> {
  const arena = await openArena({ tellsMemory: true })
  atEnd = () => arena.close()
  try {
    const held = await measureMemory(await enter(arena, peers, ['bare', 'on']), measureOptions(arena))
    ratios.memory = held.at(-1)?.ratio
    return [{ title: `Memory after load: ${usual.name}`, body: renderMemory(held) }]
  } finally {
    await arena.close()
  }
}

async function costsPart(arena: Arena): Promise<readonly Section[]> {
  const starters = variants(arena.world.upstreamUrl, await freePort())
  const keys = options.variants === '' ? Object.keys(starters) : options.variants.split(',')
  const gateways = await enter(arena, starters, keys)
  const rounds = options.variants === '' ? fewRounds : facts.rounds
  const samples = await compare(usual, gateways, { ...measureOptions(arena), rounds })
  return [{ title: `What can be turned on: ${usual.name}`, body: renderScenario(samples) }]
}

async function checkPart(arena: Arena): Promise<readonly Section[]> {
  const gateways = await enter(arena, askers, Object.keys(askers))
  results.set(question.name, await compare(question, gateways, measureOptions(arena)))
  return [{ title: question.name, body: renderScenario(results.get(question.name) ?? new Map()) }]
}

async function inArena(parts: readonly string[]): Promise<readonly Section[]> {
  const arena = await openArena(profileFolder === undefined ? {} : { profileFolder })
  atEnd = () => arena.close()
  try {
    const keys = options.gateways.split(',').filter((key) => key in peers)
    const gateways = await enter(arena, peers, keys)
    const named = keys.flatMap((key, at) =>
      gateways[at] === undefined ? [] : [[key, gateways[at]] as const],
    )
    const steady = named.filter(([key]) => key === 'bare' || key === 'on').map(([, gateway]) => gateway)
    return [
      ...(parts.includes('requests') ? await requestsPart(arena, gateways) : []),
      ...(parts.includes('streams') ? await streamsPart(named) : []),
      ...(parts.includes('steady') ? await steadyPart(arena, steady) : []),
      ...(parts.includes('tail') ? await tailPart(arena, steady) : []),
      ...(parts.includes('costs') ? await costsPart(arena) : []),
      ...(parts.includes('check') ? await checkPart(arena) : []),
    ]
  } finally {
    await arena.close()
  }
}

async function cutOff(reason: string): Promise<never> {
  process.stderr.write(`${reason}\n`)
  await atEnd()
  process.exit(1)
}

const results = new Map<string, ScenarioSamples>()
const ratios: Ratios = {}
let atEnd = async (): Promise<void> => undefined
if (!existsSync(join(here, 'node_modules'))) execFileSync('npm', ['ci'], { cwd: here, stdio: 'inherit' })
const profileFolder = options.profile === undefined ? undefined : resolve(options.profile)
if (profileFolder !== undefined) await mkdir(profileFolder, { recursive: true })
setTimeout(() => void cutOff('the benchmark took too long'), runLimitMs).unref()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void cutOff(`ended by ${signal}`))
const parts = options.parts.split(',')
// First, because it leaves the processors to choose from.
const scale = parts.includes('scale') ? await runScale() : []
pin(cores.rest, process.pid)
const measured = await inArena(parts)
const memory = parts.includes('memory') ? await memoryPart() : []
const goals = renderGoals(results, ratios)
const page = renderPage([{ title: 'The goals', body: goals }, ...measured, ...memory, ...scale], facts)
if (options.print) process.stdout.write(`\n${page}`)
else {
  await writeFile(join(here, 'RESULTS.md'), page)
  await writeGoals(goals)
}
