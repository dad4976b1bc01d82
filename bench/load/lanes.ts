import { setTimeout as sleep } from 'node:timers/promises'
import { BareConnection, type Received } from './bare-connection.ts'
import { linesOf, printResult } from './result.ts'

/**
 * A closed loop in which every connection stays with its own requests: the first sends the first line, then the first after one of every other
 * connection, and so on. So as many connections to upstreams are needed as there are of them, whatever the lines ask for. Arguments as of
 * open-loop.ts, without the rate; a line may hold several headers, with tabs between them.
 */
const [origin = '', connections, seconds, path = '/', headersFile = '', linesFile = ''] =
  process.argv.slice(2)

const head = [`GET ${path} HTTP/1.1`, ...linesOf(headersFile)].join('\r\n')
const requests = linesOf(linesFile).map((line) =>
  Buffer.from(`${head}\r\n${line.replaceAll('\t', '\r\n')}\r\n\r\n`),
)
const received: Received = { refused: 0, broken: 0, receivedBytes: 0 }
const latenciesMs: number[] = []
const lanes = Number(connections)
let running = lanes

function drive(connection: BareConnection, turn: number): void {
  const startedMs = performance.now()
  if (startedMs >= untilMs) {
    running -= 1
    connection.close()
    return
  }
  connection.ask(requests[turn % requests.length] ?? Buffer.of(), () => {
    latenciesMs.push(performance.now() - startedMs)
    drive(connection, turn + lanes)
  })
}

const beganMs = performance.now()
const untilMs = beganMs + Number(seconds) * 1_000
for (let lane = 0; lane < lanes; lane += 1) drive(new BareConnection(new URL(origin), received), lane)
while (running > received.broken) await sleep(1)
printResult(latenciesMs, { ...received, durationMs: performance.now() - beganMs })
