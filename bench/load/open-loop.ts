import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { percentile } from '../statistics.ts'

/**
 * An open loop: requests leave at fixed times, whether or not those before them have been answered, and each is timed from when it was due.
 * A pause of the gateway so counts for everybody who would have come meanwhile. Same arguments as own.ts, and the rate in a second.
 */
const [origin = '', connections, seconds, path = '/', headersFile = '', cookiesFile = '', perSecond] =
  process.argv.slice(2)

const linesOf = (file: string): string[] => readFileSync(file, 'utf8').split('\n').filter(Boolean)
const common = linesOf(headersFile).flatMap((line) => line.split(/: (.*)/, 2))
const cookies = linesOf(cookiesFile)
const pool = new Pool(origin, { connections: Number(connections) })
const latenciesMs: number[] = []
let [refused, broken, receivedBytes] = [0, 0, 0]

async function ask(turn: number, dueMs: number): Promise<void> {
  try {
    const headers = [...common, 'Cookie', cookies[turn % cookies.length] ?? '']
    const { statusCode, body } = await pool.request({ path, method: 'GET', headers })
    receivedBytes += (await body.arrayBuffer()).byteLength
    latenciesMs.push(performance.now() - dueMs)
    if (statusCode >= 400) refused += 1
  } catch {
    broken += 1
  }
}

const beganMs = performance.now()
const count = Number(perSecond) * Number(seconds)
const everyMs = 1_000 / Number(perSecond)
const under: Promise<void>[] = []
for (let turn = 0; turn < count; turn += 1) {
  const dueMs = beganMs + turn * everyMs
  while (performance.now() < dueMs) await sleep(1)
  under.push(ask(turn, dueMs))
}
await Promise.all(under)
const durationMs = performance.now() - beganMs
await pool.close()
const result = {
  requests: latenciesMs.length,
  refused,
  broken,
  receivedBytes,
  durationMs,
  p50Ms: percentile(latenciesMs, 0.5),
  p99Ms: percentile(latenciesMs, 0.99),
}
process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
