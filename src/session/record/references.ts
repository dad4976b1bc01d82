import { createRecentMap } from '../../basics/recent-map.ts'
import type { Sealer } from '../../sealing/sealer.ts'

/** 96 bits: log lines of one deployment never confuse two sessions, and stay short. */
const referenceLength = 16
/** Remembered because an HMAC costs several times a lookup and requests repeat; about 200 bytes each. */
const mostRemembered = 10_000

/** Pseudonyms for logs: stable under one `SESSION_SECRET`, usable for nothing else. */
export interface References {
  session(h: string): string
  user(issuer: string, subject: string): string
}

/** Makes pseudonyms with a key of their own. */
export function createReferences(sealer: Pick<Sealer, 'hmac'>): References {
  const remembered = createRecentMap<string>(mostRemembered)
  const reference = (text: string): string => {
    const known = remembered.get(text)
    if (known !== undefined) return known
    const made = sealer.hmac('log-reference', text).slice(0, referenceLength)
    remembered.set(text, made)
    return made
  }
  return {
    session: reference,
    // JSON, so that issuer and subject cannot run into each other, and never the form of an `h`.
    user: (issuer, subject) => reference(JSON.stringify([issuer, subject])),
  }
}
