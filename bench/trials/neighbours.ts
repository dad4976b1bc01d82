/**
 * What one frontend's trouble does to its neighbour in the same process: `node bench/trials/neighbours.ts [rounds]`. The neighbour is asked at
 * fixed times, and each answer is timed from when it was due; the other frontend is asked for something all the while, and is well at the
 * beginning and the end of each round and in some trouble in between. Printed are the neighbour's times, and their ratio to those of the
 * beginning of the same round: what the end's ratio differs from one is noise.
 */
import { writeFile } from 'node:fs/promises'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/support/ports.ts'
import {
  type ScriptedProvider,
  startScriptedProvider,
} from '../../test/support/provider/scripted-provider.ts'
import { openArena } from '../arena/arena.ts'
import { cores, pin } from '../arena/processes.ts'
import { headerLines, runOpenLoop } from '../load/load.ts'
import { type BenchHouse, hostOf, startHouse } from '../peers/house.ts'
import { median } from '../report/statistics.ts'
import { table } from '../report/table.ts'

const rounds = Number(process.argv[2] ?? 7)
/** Well below what the gateway can do: waiting is what a pause makes it, not a queue. */
const neighbourPerSecond = 600
const troubledPerSecond = 60
const seconds = 3
const connections = 20
const sessionsEach = 20
/** A browser that gets no answer leaves, milliseconds. */
const patienceMs = 1_000
/** Strangers that ask at once. */
const atOnce = 100

const troubled = 'shop'
const neighbour = 'desk'

/** A request to the troubled frontend. */
interface Asked {
  readonly path: string
  readonly headers: OutgoingHttpHeaders
}

/** A state of the troubled frontend. */
interface State {
  readonly name: string
  /** What it is asked for, in turn. */
  readonly asked: readonly Asked[]
  readonly begin?: () => Promise<unknown>
  readonly meanwhile?: () => Promise<unknown>
  readonly end?: () => Promise<unknown>
}

interface Sample {
  readonly p50Ms: number
  readonly p99Ms: number
  /** How the troubled frontend answered, by status; `none`: not at all. */
  readonly statuses: ReadonlyMap<string, number>
}

const page = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', accept: 'application/json' }

function askTroubled(port: number, { path, headers }: Asked): Promise<string> {
  return new Promise((resolve) => {
    const host = hostOf(troubled)
    const sent = request({ port, path, headers: { host, ...page, ...headers } }, (answer) => {
      answer.resume().once('close', () => resolve(`${answer.statusCode}`))
    })
    const leaving = setTimeout(() => sent.destroy(), patienceMs)
    sent.once('error', () => resolve('none')).once('close', () => clearTimeout(leaving))
    sent.end()
  })
}

/** Asks at a steady pace until it is told to stop. */
function keepAsking(port: number, asked: readonly Asked[]) {
  const statuses = new Map<string, number>()
  let turn = 0
  const timer = setInterval(() => {
    const one = asked[turn++ % asked.length]
    if (one === undefined) return
    void askTroubled(port, one).then((status) => statuses.set(status, (statuses.get(status) ?? 0) + 1))
  }, 1_000 / troubledPerSecond)
  return { statuses, stop: () => clearInterval(timer) }
}

async function measure(house: BenchHouse, files: Files, state: State): Promise<Sample> {
  await state.begin?.()
  const asking = keepAsking(house.port, state.asked)
  // So that what it will do to the process has begun.
  await sleep(patienceMs)
  const meanwhile = state.meanwhile?.()
  const origin = `http://127.0.0.1:${house.port}`
  const load = { origin, method: 'GET', path: '/api/1k', ...files, bodyBytes: 0, connections, seconds }
  const { p50Ms, p99Ms, refused, broken } = await runOpenLoop(load, neighbourPerSecond)
  asking.stop()
  await meanwhile
  await state.end?.()
  if (refused + broken > 0)
    throw new Error(`${state.name}: wrong answers of the neighbour: ${refused} refused, ${broken} broken`)
  return { p50Ms, p99Ms, statuses: asking.statuses }
}

interface Files {
  readonly headersFile: string
  readonly cookiesFile: string
}

async function writeFiles(folder: string, cookies: readonly string[]): Promise<Files> {
  const files = { headersFile: join(folder, 'headers'), cookiesFile: join(folder, 'cookies') }
  await writeFile(files.headersFile, headerLines(Object.entries({ Host: hostOf(neighbour), ...page })))
  await writeFile(files.cookiesFile, cookies.map((cookie) => `Cookie: ${cookie}\n`).join(''))
  return files
}

async function statesOf(house: BenchHouse, provider: ScriptedProvider): Promise<readonly State[]> {
  const asking = (path: string, cookies: readonly string[]): readonly Asked[] =>
    cookies.map((cookie) => ({ path, headers: { cookie } }))
  const well = asking('/api/1k', await house.signIn(troubled, sessionsEach))
  const stale = asking('/api/1k', await house.signIn(troubled, sessionsEach, 0))
  // An address is counted where it is known.
  const nobody: Asked = { path: '/api/1k', headers: { 'x-forwarded-for': '203.0.113.9' } }
  const never = () => ({ send: () => undefined })
  return [
    { name: 'all is well', asked: well },
    {
      name: 'its provider takes calls and answers none',
      asked: stale,
      begin: async () => Object.assign(provider.faults, { token: never, discoveryAnswer: never }),
      end: async () => {
        Reflect.deleteProperty(provider.faults, 'token')
        Reflect.deleteProperty(provider.faults, 'discoveryAnswer')
      },
    },
    { name: 'its API takes calls and answers none', asked: well.map((one) => ({ ...one, path: '/mute/x' })) },
    {
      name: 'strangers have used up its limits',
      asked: [nobody],
      begin: () => useUpLimits(house.port, nobody),
    },
    {
      name: 'its part of the file is faulty at a reload',
      asked: well,
      meanwhile: () => reloadFaulty(house),
      end: () => writeFile(house.file, JSON.stringify({ frontends: house.frontends })),
    },
    { name: 'all is well again', asked: well },
  ]
}

async function useUpLimits(port: number, nobody: Asked): Promise<void> {
  for (;;) {
    const statuses = await Promise.all(Array.from({ length: atOnce }, () => askTroubled(port, nobody)))
    if (statuses.includes('429')) return
  }
}

async function reloadFaulty({ file, frontends, pid }: BenchHouse): Promise<void> {
  await writeFile(file, JSON.stringify({ frontends: { ...frontends, [troubled]: { COLOUR: 'red' } } }))
  await sleep((seconds * 1_000) / 2)
  process.kill(pid, 'SIGHUP')
}

function report(seen: ReadonlyMap<State, readonly Sample[]>): string {
  const [base = []] = seen.values()
  const rows = [...seen].map(([{ name }, samples]) => {
    const ratios = samples.map(({ p99Ms }, round) => p99Ms / (base[round]?.p99Ms ?? Number.NaN))
    const of = (value: (sample: Sample) => number): string => median(samples.map(value)).toFixed(2)
    const statuses = new Set(samples.flatMap((sample) => [...sample.statuses.keys()]))
    const times = [of(({ p50Ms }) => p50Ms), of(({ p99Ms }) => p99Ms), median(ratios).toFixed(2)]
    return [name, [...statuses].toSorted().join(', '), ...times]
  })
  return table(['The other frontend', 'is answered', 'p50 ms', 'p99 ms', 'p99, ratio'], rows)
}

const arena = await openArena()
const provider = await startScriptedProvider({ clientId: 'bench' })
// An API that takes connections and says nothing.
const mute = createServer(() => undefined)
try {
  pin(cores.rest, process.pid)
  const mutePort = await freePort()
  mute.listen(mutePort, '127.0.0.1')
  const { world } = arena
  const routes = [
    { prefix: '/api', upstream: `${world.upstreamUrl}/api` },
    { prefix: '/mute', upstream: `http://127.0.0.1:${mutePort}` },
  ]
  const house = await startHouse(world, {
    names: [troubled, neighbour, 'till'],
    issuerOf: () => provider.issuer,
    // As by default: what is written about the trouble is part of it.
    env: { LOG_LEVEL: 'info', TRUST_PROXY: '127.0.0.1' },
    settingsOf: (name) => (name === troubled ? { routes, MAX_IN_FLIGHT: '20' } : {}),
  })
  try {
    const files = await writeFiles(world.folder, await house.signIn(neighbour, sessionsEach))
    const states = await statesOf(house, provider)
    const seen = new Map(states.map((state): [State, Sample[]] => [state, []]))
    for (let round = 0; round <= rounds; round += 1) {
      for (const [state, samples] of seen) {
        const sample = await measure(house, files, state)
        // The first round is the warm-up.
        if (round > 0) samples.push(sample)
      }
      process.stderr.write(`round ${round} of ${rounds}\n`)
    }
    process.stdout.write(report(seen))
  } finally {
    await house.stop()
  }
} finally {
  mute.close()
  await provider.stop()
  await arena.close()
}
