import type { Call } from '../../../src/proxy/calls/in-flight.ts'

/** A call that nothing comes of; what a test says about it wins. */
export function callOf(more: Partial<Call> = {}): Call {
  return {
    place: -1,
    kind: 'request',
    owner: undefined,
    sessionId: undefined,
    session: undefined,
    provenUntilMs: undefined,
    checkSilence: () => undefined,
    endSession: () => undefined,
    goAway: () => undefined,
    ...more,
  }
}
