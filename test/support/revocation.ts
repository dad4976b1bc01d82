import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisGate } from './redis/redis-gate.ts'
import type { ScriptedPair } from './worlds/scripted-pair.ts'

/** What a page of the application says of itself. */
export const fromOurPage = { 'sec-fetch-site': 'same-origin' }

/** What can become of the second gateway's invalidation feed, shortly before a session ends on the first. */
export const feedFates: Readonly<Record<string, (gate: RedisGate) => void>> = {
  'is alive': () => undefined,
  'was just killed': ({ feed }) => feed.cut(),
  'has just gone half-open': ({ feed }) => feed.stall(),
  'cannot be opened again': ({ feed }) => {
    feed.refuse(true)
    feed.cut()
  },
}

/** The status of a call of the API through the second gateway. */
export async function callStatus(pair: ScriptedPair, cookie: string): Promise<number> {
  return (await pair.request(1, 'GET', '/api/orders', { ...fromOurPage, cookie })).status
}

/** Other people's calls, until told to stop; then rejects if one of them failed. */
export function startLoad(pair: ScriptedPair, cookies: readonly string[]): () => Promise<unknown> {
  let isOver = false
  const lanes = cookies.map(async (cookie) => {
    while (!isOver) {
      const status = await callStatus(pair, cookie)
      if (status !== 200) throw new Error(`a call of the load was answered ${status}`)
    }
  })
  return () => {
    isOver = true
    return Promise.all(lanes)
  }
}

/**
 * Ends a session that the second gateway serves from its cache through the first, and says how much later the last call began that the
 * second still let through; negative when none did. Milliseconds.
 *
 * @param fate what happens to the feed of the second, `phaseMs` later and immediately before the end
 */
export async function lateness(
  pair: ScriptedPair,
  fate: (gate: RedisGate) => void,
  phaseMs: number,
): Promise<number> {
  const cookie = await pair.signIn(0)
  await callStatus(pair, cookie)
  const serving = lastServed(pair, cookie)
  await sleep(phaseMs)
  fate(pair.gates[1])
  const logout = { ...fromOurPage, cookie, accept: 'application/json' }
  const { status } = await pair.request(0, 'POST', '/logout', logout)
  if (status !== 200) throw new Error(`the logout was answered ${status}`)
  const endedMs = performance.now()
  return (await serving) - endedMs
}

/** Calls without pause until the session is refused; returns when the last call that was let through had begun. */
async function lastServed(pair: ScriptedPair, cookie: string): Promise<number> {
  for (let servedMs = Number.NEGATIVE_INFINITY; ; ) {
    const beganMs = performance.now()
    const status = await callStatus(pair, cookie)
    if (status === 401) return servedMs
    if (status !== 200) throw new Error(`a call was answered ${status}`)
    servedMs = beganMs
  }
}
