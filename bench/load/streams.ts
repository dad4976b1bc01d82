import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

/**
 * The generator for what stays open: `streams.ts events|echo <origin> <connections> <seconds> <cookies, one a line>`. Opens everything first, says
 * `READY`, and prints what came within the time after a line on its input.
 */
const [kind, origin = '', connections, seconds, lines = ''] = process.argv.slice(2)

const cookies = lines.split('\n')
const common = { origin, 'sec-fetch-site': 'same-origin', 'x-csrf': '1' }
const payload = 'x'.repeat(100)
let messages = 0
let broken = 0
let isCounting = false
let isOver = false
const waitsMs: number[] = []

function count(): void {
  if (isCounting) messages += 1
}

type Headers = Readonly<Record<string, string>>

/** Something that stays open; `begin` makes it move. */
interface Opened {
  readonly begin: () => void
}

function lost(): void {
  if (!isOver) broken += 1
}

async function openEvents(headers: Headers): Promise<Opened> {
  const asked: ClientRequest = request(`${origin}/api/events`, { headers, agent: false }).end()
  const [response] = await once(asked, 'response')
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
  response.on('data', count).once('close', lost)
  await once(response, 'data')
  return { begin: () => undefined }
}

/** One message at a time on each, as fast as it comes back. */
async function openEcho(headers: Headers): Promise<Opened> {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/api/echo`, { headers })
  let sentAtMs = 0
  const send = (): void => {
    sentAtMs = performance.now()
    socket.send(payload)
  }
  socket.on('message', () => {
    count()
    if (isCounting) waitsMs.push(performance.now() - sentAtMs)
    if (!isOver) send()
  })
  socket.once('close', lost)
  await once(socket, 'open')
  return { begin: send }
}

const open = kind === 'events' ? openEvents : openEcho
const opened = await Promise.all(
  Array.from({ length: Number(connections) }, (_, turn) =>
    open({ ...common, cookie: cookies[turn % cookies.length] ?? '' }),
  ),
)
for (const { begin } of opened) begin()
await sleep(300)
process.stdout.write('READY\n')
await once(process.stdin, 'data')
isCounting = true
const beganMs = performance.now()
await sleep(Number(seconds) * 1_000)
isCounting = false
isOver = true
const durationMs = performance.now() - beganMs
waitsMs.sort((a, b) => a - b)
const percentile = (share: number): number => waitsMs[Math.floor(waitsMs.length * share)] ?? 0
const result = { requests: messages, broken, durationMs, p50Ms: percentile(0.5), p99Ms: percentile(0.99) }
process.stdout.write(`RESULT ${JSON.stringify(result)}\n`, () => process.exit(0))
