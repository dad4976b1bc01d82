import type { Call } from './in-flight.ts'

/** Calls by the hash of their session. */
export type BySession = Map<string, Call[]>

/** Adds a call. */
export function note(bySession: BySession, h: string, call: Call): void {
  const calls = bySession.get(h)
  if (calls === undefined) bySession.set(h, [call])
  else calls.push(call)
}

/** Ends what is still open. */
export function endAll(calls: readonly Call[]): void {
  for (const call of calls) call.endSession()
}
