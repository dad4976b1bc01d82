import { setTimeout as sleep } from 'node:timers/promises'
import { GatewayError } from '../../errors/gateway-error.ts'

/** Pauses between attempts, milliseconds: short, because until it is known the session can do nothing. */
const retryPauseMs = 250

/**
 * Repeats what the store was asked until its answer is known (DESIGN section 3.1): a write that was not answered may have happened or may
 * still happen, and the token set in it exists nowhere else.
 *
 * @param unsettled told at the first attempt that was not answered
 * @param isMoot whether the session would be over by now in any case; then it resolves to `undefined`
 */
export async function settle<Result>(
  ask: () => Promise<Result>,
  unsettled: () => void,
  isMoot: () => boolean,
): Promise<Result | undefined> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isUnknown(error)) throw error
      unsettled()
      if (isMoot()) return undefined
    }
    await sleep(retryPauseMs)
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'session_store_unavailable'
}
