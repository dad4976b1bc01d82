import { Agent, type OutgoingHttpHeaders, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { linesOf, printResult } from './result.ts'

/** The generator for machines without wrk: some connections, each with one request at a time. Same arguments as wrk.lua, after three. */
const [origin = '', connections, seconds, method, path = '/', headersFile = '', cookiesFile = '', bodyBytes] =
  process.argv.slice(2)

const headersOf = (lines: readonly string[]): OutgoingHttpHeaders =>
  Object.fromEntries(lines.map((line) => line.split(/: (.*)/, 2)))
const body = Buffer.alloc(Number(bodyBytes), 'x')
const common: OutgoingHttpHeaders = {
  ...headersOf(linesOf(headersFile)),
  ...(body.length > 0 ? { 'Content-Length': body.length } : {}),
}
const cookies = linesOf(cookiesFile)
const variants =
  cookies.length > 0 ? cookies.map((cookie) => ({ ...common, ...headersOf([cookie]) })) : [common]
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) })
const url = new URL(path, origin)

const latenciesMs: number[] = []
let turn = 0
let refused = 0
let broken = 0
let receivedBytes = 0

function once(): Promise<void> {
  const startedMs = performance.now()
  const headers = variants[turn++ % variants.length] ?? common
  return new Promise((resolve) => {
    const failed = (): void => {
      broken += 1
      // A server that refuses connections must not turn this into a busy loop.
      void sleep(10).then(resolve)
    }
    const outgoing = request(url, { agent, headers, method }, (response) => {
      response.on('data', (chunk: Buffer) => (receivedBytes += chunk.length)).once('error', failed)
      response.once('end', () => {
        latenciesMs.push(performance.now() - startedMs)
        if ((response.statusCode ?? 500) >= 400) refused += 1
        resolve()
      })
    })
    outgoing.once('error', failed).end(body)
  })
}

async function repeat(untilMs: number): Promise<void> {
  while (performance.now() < untilMs) await once()
}

const beganMs = performance.now()
const untilMs = beganMs + Number(seconds) * 1_000
await Promise.all(Array.from({ length: Number(connections) }, () => repeat(untilMs)))
const durationMs = performance.now() - beganMs
agent.destroy()
printResult(latenciesMs, { refused, broken, receivedBytes, durationMs })
