import { setTimeout as sleep } from 'node:timers/promises'
import { BareConnection, type Received } from './bare-connection.ts'
import { linesOf, printResult } from './result.ts'

/**
 * An open loop: requests leave at fixed times, whether or not those before them have been answered, and each is timed from when it was due, so
 * a pause of the gateway counts for everybody who comes meanwhile. Arguments as of own.ts without method and body; the rate in a second at the
 * end.
 */
const [origin = '', connections, seconds, path = '/', headersFile = '', cookiesFile = '', perSecond] =
  process.argv.slice(2)

/** One request that was sent or waits for a connection. */
interface Asked {
  readonly turn: number
  readonly dueMs: number
}

const head = [`GET ${path} HTTP/1.1`, ...linesOf(headersFile)].join('\r\n')
const requests = linesOf(cookiesFile).map((cookie) => Buffer.from(`${head}\r\n${cookie}\r\n\r\n`))
const received: Received = { refused: 0, broken: 0, receivedBytes: 0 }
const latenciesMs: number[] = []
const waiting: Asked[] = []

function ask(connection: BareConnection, { turn, dueMs }: Asked): void {
  connection.ask(requests[turn % requests.length] ?? Buffer.of(), () => {
    latenciesMs.push(performance.now() - dueMs)
    const next = waiting.shift()
    if (next === undefined) idle.push(connection)
    else ask(connection, next)
  })
}

const all = Array.from({ length: Number(connections) }, () => new BareConnection(new URL(origin), received))
const idle = [...all]
const beganMs = performance.now()
const count = Number(perSecond) * Number(seconds)
const everyMs = 1_000 / Number(perSecond)
for (let turn = 0; turn < count; turn += 1) {
  const dueMs = beganMs + turn * everyMs
  while (performance.now() < dueMs) await sleep(1)
  const connection = idle.pop()
  if (connection === undefined) waiting.push({ turn, dueMs })
  else ask(connection, { turn, dueMs })
}
while (latenciesMs.length + received.broken < count) await sleep(1)
const durationMs = performance.now() - beganMs
for (const connection of all) connection.close()
printResult(latenciesMs, { ...received, durationMs })
