import { readFile, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { heapFile } from '../arena/heap-file.ts'
import type { Gateway } from '../peers/gateway.ts'
import { table } from '../report/table.ts'
import { type MeasureOptions, measure } from './measure.ts'
import { usual } from './scenarios.ts'

/** What a gateway holds after load, once everything that can go has gone. */
export interface Held {
  readonly name: string
  /** Heap and what it refers to outside. */
  readonly heldBytes: number
  readonly residentBytes: number
  /** Of what is held, to the first gateway. */
  readonly ratio: number
}

const roundsBefore = 5
/** So that closed connections and their timers are gone, milliseconds. */
const restMs = 1_000
const pollMs = 50
const limitMs = 20_000

/** Loads each gateway with 1,000 sessions and asks it what it holds. They must load `heap-on-signal.ts`. */
export async function measureMemory(
  gateways: readonly Gateway[],
  options: MeasureOptions,
): Promise<readonly Held[]> {
  const held: Held[] = []
  for (const gateway of gateways) {
    for (let round = 0; round < roundsBefore; round += 1) await measure(gateway, usual, options)
    await sleep(restMs)
    const file = `${heapFile(options.folder)}.${gateway.pid}`
    process.kill(gateway.pid, 'SIGUSR2')
    const told = await answerIn(file)
    const ratio = told.heldBytes / (held[0] ?? told).heldBytes
    held.push({ name: gateway.name, ...told, ratio })
  }
  return held
}

/** What `heap-on-signal.ts` writes. */
type Told = Pick<Held, 'heldBytes' | 'residentBytes'>

/** @throws Error when none comes in time */
async function answerIn(file: string): Promise<Told> {
  const untilMs = performance.now() + limitMs
  while (performance.now() < untilMs) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text.endsWith('}')) {
      await rm(file)
      return JSON.parse(text) as Told
    }
    await sleep(pollMs)
  }
  throw new Error('a gateway did not say what it holds')
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

/** As a table. */
export function renderMemory(held: readonly Held[]): string {
  const rows = held.map(({ name, heldBytes, residentBytes, ratio }) => [
    name,
    megabytes(heldBytes),
    ratio.toFixed(2),
    megabytes(residentBytes),
  ])
  return table(['Gateway', 'heap and external MB', 'ratio', 'resident MB'], rows)
}
