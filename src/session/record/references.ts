import { createRecentMap } from '../../basics/recent-map.ts'
import type { Sealer } from '../../sealing/sealer.ts'
import { subjectText } from './keys.ts'

/** 96 bits: log lines of one deployment never confuse two sessions, and stay short. */
const referenceLength = 16
/** Remembered because an HMAC costs several times a lookup and requests repeat; about 200 bytes each. */
const mostRemembered = 10_000

/** Pseudonyms for logs: stable under one `SESSION_SECRET`, usable for nothing else. */
export interface References {
  session(h: string): string
  /** Whether a pseudonym from an operator is that of a session, under any secret: the node that wrote it may have another first one. */
  isSession(h: string, untrustedRef: string): boolean
  user(issuer: string, subject: string): string
  /**
   * Whether a pseudonym from an operator is that of a session's user, under any secret.
   *
   * @param subjectIndex the key of the user's index, from the session's facts
   */
  isUser(subjectIndex: string, untrustedRef: string): boolean
}

/** Makes pseudonyms with a key of their own. */
export function createReferences(sealer: Pick<Sealer, 'hmac' | 'hmacAll'>): References {
  const remembered = createRecentMap<string>(mostRemembered)
  const reference = (text: string, named: (text: string) => string): string => {
    const known = remembered.get(text)
    if (known !== undefined) return known
    const made = sealer.hmac('log-reference', named(text)).slice(0, referenceLength)
    remembered.set(text, made)
    return made
  }
  const isReference = (text: string, untrustedRef: string): boolean =>
    sealer.hmacAll('log-reference', text).some((made) => made.slice(0, referenceLength) === untrustedRef)
  return {
    session: (h) => reference(h, same),
    isSession: isReference,
    // Made of what is in the name of the user's index, so that it can be told of a session without its cookie.
    user: (issuer, subject) =>
      reference(subjectText(issuer, subject), (text) => userText(sealer.hmac('index', text))),
    isUser: (subjectIndex, untrustedRef) =>
      isReference(userText(subjectIndex.slice(subjectIndex.lastIndexOf(':') + 1)), untrustedRef),
  }
}

const same = (text: string): string => text

/** Never the form of an `h`. */
const userText = (subjectMac: string): string => `user ${subjectMac}`
