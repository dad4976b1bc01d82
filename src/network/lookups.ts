import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

type Answer = Parameters<LookupFunction>[2]

/** How the system is asked. */
export type AskSystem = (
  hostname: string,
  options: LookupOptions,
  answer: (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void,
) => void

/**
 * Makes a lookup that asks for the same name once at a time, whoever wants to know. The system answers in two threads of the whole process: were
 * each of a thousand connections to ask for a name whose servers say nothing, nobody else's name would be looked up for minutes.
 */
export function createLookup(ask: AskSystem = lookup): LookupFunction {
  const underWay = new Map<string, Answer[]>()
  return (hostname, options, answer) => {
    const key = JSON.stringify([hostname, options])
    const waiting = underWay.get(key)
    if (waiting !== undefined) {
      waiting.push(answer)
      return
    }
    const answers = [answer]
    underWay.set(key, answers)
    ask(hostname, options, (error, address, family) => {
      underWay.delete(key)
      for (const each of answers) each(error, address, family)
    })
  }
}

/** The one of this process. */
export const lookupTogether = createLookup()
