import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionStore } from './contract.ts'

/** How often a connection under way is looked at; the store tells nobody when it is there. Milliseconds. */
const lookEveryMs = 25

/** Waits for a store that was just opened; for commands, which unlike the gateway have nothing to do without it. */
export async function becomesReady(store: Pick<SessionStore, 'status'>, withinMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + withinMs
  while (!store.status().ready) {
    if (performance.now() >= deadlineMs) return false
    await sleep(lookEveryMs)
  }
  return true
}
