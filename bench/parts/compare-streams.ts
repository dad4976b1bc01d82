import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cpuMs } from '../arena/proc-stat.ts'
import { cores, pinned } from '../arena/processes.ts'
import type { Gateway } from '../peers/gateway.ts'
import { median } from '../report/statistics.ts'
import { table } from '../report/table.ts'

/** What moves on connections that stay open. */
export type StreamKind = 'events' | 'echo'

interface StreamSample {
  readonly cpuUsPerMessage: number
  readonly messagesPerSecond: number
  readonly p99Ms: number
}

interface StreamResult {
  readonly requests: number
  readonly broken: number
  readonly durationMs: number
  readonly p99Ms: number
}

const connections = 50
/** A generator that has not ended by then is stuck, milliseconds. */
const limitMs = 30_000
const generatorPath = fileURLToPath(new URL('../load/streams.ts', import.meta.url))

/**
 * Opens streams through a gateway and counts what passes in a second, once all of them are open.
 *
 * @throws Error when one cannot be opened, or is lost meanwhile
 */
async function measureStreams(gateway: Gateway, kind: StreamKind, seconds: number): Promise<StreamSample> {
  // A session each: how many sockets one may have is bounded.
  const cookies = gateway.cookies.slice(0, connections).join('\n') || 'unknown=x'
  const args = [generatorPath, kind, gateway.origin, `${connections}`, `${seconds}`, cookies]
  const [file, rest] = pinned(cores.rest, process.execPath, args)
  const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'inherit'], timeout: limitMs })
  const closed = once(child, 'close')
  let cpuBeforeMs = Number.NaN
  for await (const line of createInterface(child.stdout)) {
    if (line === 'READY') {
      cpuBeforeMs = cpuMs(gateway.pid)
      child.stdin.write('go\n')
    } else if (line.startsWith('RESULT ')) {
      const usedMs = cpuMs(gateway.pid) - cpuBeforeMs
      await closed
      return toSample(JSON.parse(line.slice(7)) as StreamResult, usedMs, gateway.name)
    }
  }
  throw new Error(`${gateway.name}, ${kind}: the streams could not be opened`)
}

function toSample(result: StreamResult, usedMs: number, name: string): StreamSample {
  const { requests, broken, durationMs, p99Ms } = result
  if (requests === 0 || broken > 0) throw new Error(`${name}: lost streams: ${JSON.stringify(result)}`)
  return {
    cpuUsPerMessage: (usedMs / requests) * 1_000,
    messagesPerSecond: (requests / durationMs) * 1_000,
    p99Ms,
  }
}

/** Interleaved rounds as for requests; a Markdown table, the first gateway being the one that ratios are to. */
export async function compareStreams(
  kind: StreamKind,
  gateways: readonly Gateway[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<string> {
  const samples = new Map<string, StreamSample[]>(gateways.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const gateway of round % 2 === 0 ? gateways : gateways.toReversed()) {
      const sample = await measureStreams(gateway, kind, seconds)
      if (round > 0) samples.get(gateway.name)?.push(sample)
    }
  }
  const base = [...samples.values()][0] ?? []
  const rows = [...samples].map(([name, own]) => toRow(name, own, base, kind))
  const head = [
    'Gateway',
    'CPU, ratio',
    'CPU µs/message',
    'messages/s',
    ...(kind === 'echo' ? ['p99 ms'] : []),
  ]
  return table(head, rows)
}

function toRow(
  name: string,
  samples: readonly StreamSample[],
  base: readonly StreamSample[],
  kind: StreamKind,
): readonly string[] {
  const middle = (of: keyof StreamSample): number => median(samples.map((sample) => sample[of]))
  const ratios = samples.map(
    ({ cpuUsPerMessage }, round) => cpuUsPerMessage / (base[round]?.cpuUsPerMessage ?? Number.NaN),
  )
  const cells = [
    name,
    median(ratios).toFixed(2),
    middle('cpuUsPerMessage').toFixed(1),
    middle('messagesPerSecond').toFixed(0),
  ]
  return kind === 'echo' ? [...cells, middle('p99Ms').toFixed(2)] : cells
}
