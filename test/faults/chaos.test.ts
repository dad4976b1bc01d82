import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { startUpstream, type Upstream } from '../support/api/upstream.ts'
import { Chaos } from '../support/chaos.ts'
import { type ScriptedPair, startScriptedPair } from '../support/worlds/scripted-pair.ts'

let upstream: Upstream
let pair: ScriptedPair

beforeAll(async () => {
  upstream = await startUpstream()
  // Written through to disk, so that a restarted Redis has what the killed one had.
  pair = await startScriptedPair({ API_URL: upstream.origin }, { appendonly: 'yes', appendfsync: 'always' })
})
afterAll(async () => {
  await pair?.stop()
  await upstream?.stop()
})

test('whatever freezes and dies around two gateways, no session is lost, none comes back, and no token is presented twice', async () => {
  const seed = inject('seed')
  const chaos = new Chaos(pair, seed)
  const faults = await chaos.run(8, 12_000)
  expect({ seed, faults }).toEqual({ seed, faults: [] })
  expect(chaos.counts.calls).toBeGreaterThan(100)
}, 90_000)
