import { setTimeout as sleep } from 'node:timers/promises'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { PreparedReplace } from '../record/writes.ts'
import type { ReplaceResult } from '../store/contract.ts'

/** Pauses between attempts, milliseconds: short, because until it is known the session can do nothing. */
const retryPauseMs = 250

/**
 * Repeats a write until its result is known (DESIGN section 3.1): a write that was not answered may have happened or may still
 * happen, and the token set in it exists nowhere else.
 *
 * @param unsettled told at the first attempt that was not answered
 * @param isMoot whether the session would be over by now in any case
 */
export async function settleWrite(
  replace: PreparedReplace,
  unsettled: () => void,
  isMoot: () => boolean,
): Promise<ReplaceResult> {
  for (;;) {
    try {
      return await replace()
    } catch (error) {
      if (!isUnknown(error)) throw error
      unsettled()
      if (isMoot()) return 'gone'
    }
    await sleep(retryPauseMs)
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'session_store_unavailable'
}
