import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Call } from '../../../src/proxy/calls/in-flight.ts'
import {
  createUpstreamPool,
  type DispatchedCall,
  type UpstreamPool,
} from '../../../src/proxy/upstream/upstream-pool.ts'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { callOf } from '../support/calls.ts'

let upstream: Upstream
let pool: UpstreamPool
let nowMs = 0

beforeEach(async () => {
  upstream = await startUpstream()
  nowMs = 0
  pool = createUpstreamPool(
    {
      upstream: new URL(upstream.origin),
      connectTimeoutMs: 1_000,
      maxInFlight: 2,
      maxInFlightPerSession: 2,
      tls: undefined,
    },
    () => nowMs,
  )
})

afterEach(async () => {
  await pool.close(0)
  await upstream.stop()
})

/** One request through the pool: resolves to the connection that carried it. */
function ask(path = '/x'): Promise<number> {
  return new Promise((resolve, reject) => {
    const request: DispatchedCall = {
      ...callOf(),
      onConnect: () => undefined,
      onHeaders: () => true,
      onData: () => true,
      onComplete: () => {
        pool.leave(request)
        // undici frees the connection in the turn after the one in which it says so.
        setImmediate(() => setImmediate(resolve, upstream.requests.at(-1)?.connection ?? -1))
      },
      onError: reject,
    }
    pool.enter(request)
    pool.dispatch({ path, method: 'GET' }, request)
  })
}

const nobody = (): Call => callOf()

describe('the pool of an upstream', () => {
  it('uses a connection again, and replaces it after a minute, so that DNS is followed', async () => {
    expect([await ask(), await ask()]).toEqual([0, 0])
    nowMs = 60_000
    const before = pool.sweep
    await vi.waitFor(() => expect(pool.sweep).toBeGreaterThan(before))
    expect(await ask()).toBe(1)
  })

  it('does not cut a request that runs on a replaced connection', async () => {
    const waiting = Promise.withResolvers<void>()
    upstream.on('/slow', async (response) => {
      await waiting.promise
      response.end('done')
    })
    const slow = ask('/slow')
    nowMs = 60_000
    const before = pool.sweep
    await vi.waitFor(() => expect(pool.sweep).toBeGreaterThan(before))
    waiting.resolve()
    expect(await slow).toBe(0)
  })

  it('has as many places as it was given', () => {
    const [first, second] = [nobody(), nobody()]
    expect([pool.enter(first), pool.enter(second), pool.enter(nobody())]).toEqual([
      undefined,
      undefined,
      'full',
    ])
    pool.leave(first)
    expect(pool.enter(nobody())).toBe(undefined)
  })

  it('closes within its grace, whatever is under way', async () => {
    upstream.on('/never', () => undefined)
    const never = ask('/never').catch((error: { code?: string }) => error.code)
    await upstream.next()
    const startedAt = Date.now()
    await pool.close(100)
    expect(await never).toBe('UND_ERR_DESTROYED')
    expect(Date.now() - startedAt).toBeLessThan(1_000)
  })
})
