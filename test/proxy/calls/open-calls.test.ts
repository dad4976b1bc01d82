import { afterEach, describe, expect, it } from 'vitest'
import { type Call, InFlightCalls } from '../../../src/proxy/calls/in-flight.ts'
import { createOpenCalls, type OpenCalls } from '../../../src/proxy/calls/open-calls.ts'
import type { SessionView } from '../../../src/session/record/session.ts'
import { noMetrics } from '../../../src/telemetry/measures/metrics.ts'
import { eventually } from '../../support/eventually.ts'
import { callOf } from '../support/calls.ts'

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
      deviceDemandedFromMs: undefined,
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

describe('an open stream whose session was bound to a device before anybody looked after the stream', () => {
  const unbound = { h: 'h', endsAtMs: Number.POSITIVE_INFINITY, lastSeenAtMs: Date.now() } as SessionView
  const bound = { ...unbound, device: { offeredAtMs: 0, isEnforced: true } } as SessionView

  function open(deviceLifeMs: number) {
    let isEnded = false
    const listeners: ((h: string | undefined) => void)[] = []
    const stream = callOf({
      kind: 'sse',
      sessionId: 'id',
      session: unbound,
      endSession: () => (isEnded = true),
    })
    const opened = createOpenCalls({
      sessions: {
        find: async () => bound,
        exist: async (hs) => hs.map(() => true),
        subscribe(listener) {
          listeners.push(listener)
          return () => undefined
        },
        isLive: () => true,
        deviceLivesMs: async (hs) => hs.map(() => deviceLifeMs),
      },
      metrics: noMetrics,
      deviceToleranceMs: 0,
      deviceDemandedFromMs: ({ device }) => (device?.isEnforced === true ? 0 : undefined),
      limits: { idleTimeoutMs: 3_600_000, maxLifetimeMs: 3_600_000 },
      now: Date.now,
    })
    watch = opened
    const calls = new InFlightCalls({ maxInFlight: 1, maxInFlightPerSession: 1 })
    calls.enter(stream)
    opened.addRoute(calls)
    const tell = (h: string | undefined): void => {
      for (const listener of listeners) listener(h)
    }
    return { opened, stream, tell, isEnded: () => isEnded }
  }

  it.each([
    ['was found before a wait', ({ opened }: ReturnType<typeof open>) => opened.suspect('h')],
    ['changed while nothing could be heard', ({ tell }: ReturnType<typeof open>) => tell(undefined)],
  ])('ends without a proof when its session %s', async (_what, happens) => {
    const made = open(0)
    happens(made)
    await eventually(() => expect(made.isEnded()).toBe(true))
  })

  it('goes on while the device proves itself', async () => {
    const made = open(60_000)
    made.opened.suspect('h')
    await eventually(() => expect(made.stream.provenUntilMs).toBeGreaterThan(Date.now()))
    expect(made.isEnded()).toBe(false)
  })
})
