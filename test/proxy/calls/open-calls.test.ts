import { afterEach, describe, expect, it } from 'vitest'
import type { Call, InFlightCalls } from '../../../src/proxy/calls/in-flight.ts'
import { createOpenCalls, type OpenCalls } from '../../../src/proxy/calls/open-calls.ts'
import type { SessionView } from '../../../src/session/record/session.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { eventually } from '../../support/eventually.ts'

let watch: OpenCalls | undefined
afterEach(() => watch?.close())

describe('open calls while a part of the store does not answer', () => {
  it('end with their sessions all the same, and those of that part are asked for until it answers', async () => {
    const ended: string[] = []
    const call = (h: string): Call =>
      ({
        kind: 'sse',
        sessionId: h,
        session: { h, endsAtMs: Number.POSITIVE_INFINITY, lastSeenAtMs: Date.now() } as SessionView,
        endSession: () => void ended.push(h),
        goAway: () => undefined,
      }) as unknown as Call
    const calls = ['lost', 'unread', 'gone'].map(call)
    const listeners: ((h: string | undefined) => void)[] = []
    let isBack = false
    watch = createOpenCalls({
      sessions: {
        find: async (id) => {
          if (id === 'unread' && !isBack) throw new Error('no answer')
          return undefined
        },
        exist: async (hs) =>
          hs.map((h) => {
            if (h === 'gone') return false
            return h === 'lost' && !isBack ? undefined : h !== 'lost'
          }),
        subscribe(listener) {
          listeners.push(listener)
          return () => undefined
        },
        isLive: () => true,
        deviceLivesMs: async () => [],
      },
      metrics: noMetrics,
      deviceToleranceMs: 0,
      deviceDemandedFromMs: () => undefined,
      limits: { idleTimeoutMs: 3_600_000, maxLifetimeMs: 3_600_000 },
      now: Date.now,
    })
    watch.addRoute({
      size: calls.length,
      visit: (each: (call: Call) => void) =>
        calls.filter(({ sessionId }) => !ended.includes(sessionId ?? '')).forEach(each),
    } as unknown as InFlightCalls)
    for (const h of ['lost', 'unread', 'gone']) for (const listener of listeners) listener(h)
    await eventually(() => expect(ended).toEqual(['gone']))
    isBack = true
    await eventually(() => expect(new Set(ended)).toEqual(new Set(['gone', 'lost', 'unread'])), 5_000)
  })
})
