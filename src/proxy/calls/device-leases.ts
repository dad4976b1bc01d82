import type { Sessions } from '../../session/lifecycle/sessions.ts'
import { type BySession, endAll, note } from './by-session.ts'
import type { Call } from './in-flight.ts'

/**
 * Streams of sessions that are bound to a device: each ends when the proof that it was opened with does, unless the device was proven anew
 * meanwhile, here or on any other node (DESIGN-2 section 9). A store that does not answer ends none.
 */
export interface DeviceLeases {
  /** The proof of this call may be over. */
  doubt(call: Call): void
  /** Asks for all that were doubted, in one go; never while the last question is not answered. */
  ask(): void
}

/** What watching over devices needs. */
export interface DeviceLeaseDependencies {
  readonly sessions: Pick<Sessions, 'deviceLivesMs'>
  /** For how long a proof still counts after its end, milliseconds. */
  readonly deviceToleranceMs: number
  readonly now: () => number
}

/** What was not answered is asked again after this, milliseconds. */
const recheckMs = 1_000

/** Makes the watch. */
export function createDeviceLeases(dependencies: DeviceLeaseDependencies): DeviceLeases {
  let doubted: BySession = new Map()
  let askNotBeforeMs = 0
  let isAsking = false
  const ask = async (asked: BySession): Promise<void> => {
    const hs = [...asked.keys()]
    try {
      const lives = await dependencies.sessions.deviceLivesMs(hs)
      for (const [at, h] of hs.entries()) judge(asked.get(h) ?? [], lives[at], dependencies)
    } catch {
      askNotBeforeMs = performance.now() + recheckMs
    } finally {
      isAsking = false
    }
  }
  return {
    doubt(call) {
      if (!isAsking && performance.now() >= askNotBeforeMs && call.session !== undefined) {
        note(doubted, call.session.h, call)
      }
    },
    ask() {
      if (doubted.size === 0) return
      isAsking = true
      const asked = doubted
      doubted = new Map()
      void ask(asked)
    },
  }
}

/** @param lifeMs what is left of the last proof; `undefined`: nobody knows */
function judge(
  calls: readonly Call[],
  lifeMs: number | undefined,
  { deviceToleranceMs, now }: DeviceLeaseDependencies,
): void {
  if (lifeMs === undefined) return
  if (lifeMs === 0) {
    endAll(calls)
    return
  }
  const provenUntilMs = now() + lifeMs + deviceToleranceMs
  for (const call of calls) call.provenUntilMs = provenUntilMs
}
