/**
 * Two gateway processes whose Redis, connections and selves are frozen, cut and killed at random while users sign in, call, refresh and sign
 * out: `node bench/trials/chaos.ts [seconds] [seed]`. Prints the seed first, then what went wrong. The suite runs twelve seconds of it.
 */

import { startUpstream } from '../../test/support/api/upstream.ts'
import { Chaos } from '../../test/support/chaos.ts'
import { startScriptedPair } from '../../test/support/worlds/scripted-pair.ts'

const [seconds = '60', seed = `${Date.now() % 2 ** 31}`] = process.argv.slice(2)
const users = 12

const upstream = await startUpstream()
const pair = await startScriptedPair(
  { API_URL: upstream.origin },
  { appendonly: 'yes', appendfsync: 'always' },
)
process.stdout.write(`chaos: ${seconds} s, seed ${seed}\n`)
const chaos = new Chaos(pair, Number(seed))
const faults = await chaos.run(users, Number(seconds) * 1_000)
process.stdout.write(`${JSON.stringify(chaos.counts)}\n`)
for (const fault of faults) process.stdout.write(`${fault}\n`)
if (faults.length === 0)
  process.stdout.write('no session was lost, none came back, no token was presented twice\n')
await pair.stop()
await upstream.stop()
process.exitCode = faults.length === 0 ? 0 : 1
