import { setTimeout as sleep } from 'node:timers/promises'
import { createUnderWay } from '../../../basics/under-way.ts'
import type { Provider } from '../../../oidc/provider/provider.ts'
import { newWriteId } from '../../record/keys.ts'
import type { SessionRecords } from '../../record/records.ts'
import type { OpenSession, Sessions } from '../sessions.ts'

/** Attempts while the browser waits: a lost answer is asked for again, an outage is not waited for. */
const attempts = 2
/** How often it is looked whether an attempt that was not answered has done it after all, milliseconds. */
const lookEveryMs = 500
/** A write that has not happened by then never will: its connection is long closed. Milliseconds. */
const lookForMs = 30_000
/** Unanswered ends looked after at the same time; with the store down everybody who signs out becomes one. */
const mostLookedAfter = 1_000

/** What ending a session with its cookie needs. */
export interface EndOwnDependencies {
  readonly records: Pick<SessionRecords, 'take' | 'readTaken' | 'indexes'>
  readonly provider: Pick<Provider, 'revoke'>
}

/**
 * Ends sessions whose cookie is at hand, so that the newest refresh token can be revoked: not the one that was read, because another node
 * may have replaced it since, but the one that was deleted. When the store does not answer whether it has deleted, that is found out
 * later, and the token revoked then; nothing more is deleted on the way.
 */
export function createEndOwn({
  records,
  provider,
}: EndOwnDependencies): Pick<Sessions, 'endOpened' | 'drained'> {
  const lookedAfter = createUnderWay()
  let isDraining = false
  const lookAfter = (session: OpenSession, attempt: string): void => {
    if (lookedAfter.size >= mostLookedAfter) return
    void lookedAfter.add(revokeWhenTaken({ records, provider }, session, attempt, () => isDraining))
  }
  return {
    async endOpened(session) {
      const attempt = newWriteId()
      const taken = await takeTwice(records, session, attempt).catch((error: unknown) => {
        lookAfter(session, attempt)
        throw error
      })
      void records.indexes.remove(session.view.h, session.record.identity)
      const { refreshToken } = (taken ?? session.record).tokens
      return { existed: taken !== undefined, refreshToken }
    },
    async drained() {
      isDraining = true
      await lookedAfter.finished()
    },
  }
}

async function takeTwice(
  records: EndOwnDependencies['records'],
  session: OpenSession,
  attempt: string,
): ReturnType<SessionRecords['take']> {
  for (let left = attempts - 1; left > 0; left -= 1) {
    try {
      return await records.take(session, attempt)
    } catch {
      // It may have happened: the same attempt again tells.
    }
  }
  return records.take(session, attempt)
}

async function revokeWhenTaken(
  { records, provider }: EndOwnDependencies,
  session: OpenSession,
  attempt: string,
  isDraining: () => boolean,
): Promise<void> {
  const givesUpAtMs = performance.now() + lookForMs
  while (performance.now() < givesUpAtMs) {
    const taken = await records.readTaken(session, attempt).catch(() => undefined)
    if (taken !== undefined) {
      if (taken.tokens.refreshToken !== undefined) await provider.revoke(taken.tokens.refreshToken, 'logout')
      return
    }
    if (isDraining()) return
    await sleep(lookEveryMs)
  }
}
