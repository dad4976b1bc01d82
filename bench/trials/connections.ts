/**
 * Clients that do whatever can be done on connections to a gateway process: pipelining, upgrades, half-closes, aborts, expectations, slow and
 * broken bodies, and a drain at the end: `node bench/trials/connections.ts [seconds] [seed]`, ten minutes by default. Prints the seed first, then
 * what went wrong. The suite runs half a minute of it.
 */
import { ConnectionFuzz } from '../../test/support/connection-fuzz/fuzz.ts'

const [seconds = '600', seed = `${Date.now() % 2 ** 31}`] = process.argv.slice(2)

process.stdout.write(`connections: ${seconds} s, seed ${seed}\n`)
const fuzz = new ConnectionFuzz(Number(seed))
const faults = await fuzz.run(Number(seconds) * 1_000)
process.stdout.write(`${JSON.stringify(fuzz.counts)}\n`)
for (const fault of faults) process.stdout.write(`${fault}\n`)
if (faults.length === 0) process.stdout.write('it lived, nothing was left open, every request has one line\n')
process.exitCode = faults.length === 0 ? 0 : 1
