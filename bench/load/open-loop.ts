import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { linesOf, printResult } from './result.ts'

/**
 * An open loop: requests leave at fixed times, whether or not those before them have been answered, and each is timed from when it was due, so
 * a pause of the gateway counts for everybody who comes meanwhile. Bare sockets, because a client library would take more of the
 * processor that the API shares than the API does. Arguments as of own.ts without method and body; the rate in a second at the end.
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
const { hostname, port } = new URL(origin)
const latenciesMs: number[] = []
const waiting: Asked[] = []
const idle: Connection[] = []
let [refused, broken, receivedBytes] = [0, 0, 0]

/** One request at a time; answers carry their length. */
class Connection {
  readonly #socket: Socket = connect(Number(port), hostname)
  #asked: Asked | undefined
  #missingBytes = 0

  constructor() {
    this.#socket.setNoDelay()
    this.#socket.on('data', (chunk) => this.#receive(chunk))
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => (broken += this.#asked === undefined ? 0 : 1))
  }

  ask(asked: Asked): void {
    this.#asked = asked
    this.#socket.write(requests[asked.turn % requests.length] ?? '')
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    receivedBytes += chunk.length
    if (this.#missingBytes === 0) this.#missingBytes = totalBytes(chunk)
    this.#missingBytes -= chunk.length
    if (this.#missingBytes > 0 || this.#asked === undefined) return
    latenciesMs.push(performance.now() - this.#asked.dueMs)
    this.#asked = undefined
    const next = waiting.shift()
    if (next === undefined) idle.push(this)
    else this.ask(next)
  }
}

/** Of an answer, by its first piece, which holds its head. */
function totalBytes(first: Buffer): number {
  const text = first.toString('latin1')
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1]
  if (length === undefined) throw new Error(`an answer without a length: ${text.slice(0, 300)}`)
  if (!/^HTTP\/1\.1 [23]/.test(text)) refused += 1
  return text.indexOf('\r\n\r\n') + 4 + Number(length)
}

function ask(asked: Asked): void {
  const connection = idle.pop()
  if (connection === undefined) waiting.push(asked)
  else connection.ask(asked)
}

const all = Array.from({ length: Number(connections) }, () => new Connection())
idle.push(...all)
const beganMs = performance.now()
const count = Number(perSecond) * Number(seconds)
const everyMs = 1_000 / Number(perSecond)
for (let turn = 0; turn < count; turn += 1) {
  const dueMs = beganMs + turn * everyMs
  while (performance.now() < dueMs) await sleep(1)
  ask({ turn, dueMs })
}
while (latenciesMs.length + broken < count) await sleep(1)
const durationMs = performance.now() - beganMs
for (const connection of all) connection.close()
printResult(latenciesMs, { refused, broken, receivedBytes, durationMs })
