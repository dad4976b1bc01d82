/**
 * How late a session that was ended on one gateway is still served by another, under load, whatever becomes of the other's invalidation
 * feed: `node bench/trials/revocation.ts [ends per fate]`. Each number is the time from the answer of `POST /logout` on the first gateway to the
 * beginning of the last call that the second let through; negative: none began after that answer.
 */

import { startUpstream } from '../../test/support/api/upstream.ts'
import { feedFates, lateness, startLoad } from '../../test/support/revocation.ts'
import { startScriptedPair } from '../../test/support/worlds/scripted-pair.ts'

const ends = Number(process.argv[2] ?? 100)
/** Other sessions that call without pause meanwhile. */
const others = 8
/** Ends come anywhere between two signs of life of the feed. */
const mostPhaseMs = 120

const upstream = await startUpstream()
const pair = await startScriptedPair({ API_URL: upstream.origin })
const stopLoad = startLoad(pair, await Promise.all(Array.from({ length: others }, () => pair.signIn(1))))
const shown = (ms: number | undefined): string => (ms ?? Number.NaN).toFixed(0).padStart(7)

process.stdout.write(
  `${'the feed'.padEnd(26)}${'p50'.padStart(7)}${'p99'.padStart(7)}${'worst'.padStart(7)}  ms\n`,
)
for (const [name, fate] of Object.entries(feedFates)) {
  const lateMs: number[] = []
  for (let end = 0; end < ends; end += 1) lateMs.push(await lateness(pair, fate, Math.random() * mostPhaseMs))
  pair.gates[1].feed.refuse(false)
  lateMs.sort((a, b) => a - b)
  const at = (share: number): string => shown(lateMs[Math.ceil(share * lateMs.length) - 1])
  process.stdout.write(`${name.padEnd(26)}${at(0.5)}${at(0.99)}${at(1)}\n`)
}
await stopLoad()
await pair.stop()
await upstream.stop()
