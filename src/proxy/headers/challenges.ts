import { splitQuotedList } from './quoted-list.ts'

/** One challenge of a `WWW-Authenticate` value. */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string
  readonly text: string
}

/** A scheme followed by a parameter or token, or alone; a parameter (`realm = "x"`) does not match. */
const challengeStart = /^([!#$%&'*+.^_`|~0-9a-z-]+)(?:\s+[^=\s]|\s*$)/i

/** Schemes for which browsers open a password prompt of their own, or send the user's machine credentials. */
const promptingSchemes = new Set(['basic', 'digest', 'negotiate', 'ntlm', 'kerberos'])

/** Splits a value into its challenges (RFC 9110 section 11.6.1); `undefined` when it cannot be read. */
export function splitChallenges(value: string): readonly Challenge[] | undefined {
  const items = splitQuotedList(value)
  if (items === undefined) return undefined
  const challenges: { scheme: string; text: string }[] = []
  for (const item of items) {
    const scheme = challengeStart.exec(item)?.[1]?.toLowerCase()
    const current = challenges.at(-1)
    if (scheme !== undefined) challenges.push({ scheme, text: item })
    else if (current === undefined) return undefined
    else current.text += `, ${item}`
  }
  return challenges
}

/** The value without challenges that make browsers prompt; `undefined` when nothing is left or it cannot be read. */
export function withoutPrompts(value: string): string | undefined {
  const challenges = splitChallenges(value)
  if (challenges === undefined) return undefined
  const kept = challenges.filter(({ scheme }) => !promptingSchemes.has(scheme))
  return kept.length === 0 ? undefined : kept.map(({ text }) => text).join(', ')
}

/** What an API says about the access token that was sent to it (RFC 6750 section 3, RFC 9470 section 3). */
export interface BearerChallenge {
  readonly scheme: 'bearer' | 'dpop'
  readonly error: string | undefined
  /** For people, in the API's words; untrusted. */
  readonly description: string | undefined
  readonly acrValues: string | undefined
  /** Whole seconds, digits only. */
  readonly maxAge: string | undefined
  /** Entra's: a `claims` request parameter, base64. */
  readonly claims: string | undefined
}

/** Reads the bearer challenge of a 401; `undefined` when there is none. */
export function readBearerChallenge(value: string): BearerChallenge | undefined {
  const challenge = splitChallenges(value)?.find(({ scheme }) => scheme === 'bearer' || scheme === 'dpop')
  if (challenge === undefined) return undefined
  const maxAge = parameter(challenge.text, 'max_age')
  return {
    scheme: challenge.scheme === 'dpop' ? 'dpop' : 'bearer',
    error: parameter(challenge.text, 'error'),
    description: parameter(challenge.text, 'error_description'),
    acrValues: parameter(challenge.text, 'acr_values'),
    claims: parameter(challenge.text, 'claims'),
    maxAge: maxAge !== undefined && /^\d{1,9}$/.test(maxAge) ? maxAge : undefined,
  }
}

function parameter(challenge: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|[\\s,])${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s",]+))`, 'i').exec(
    challenge,
  )
  return match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2]
}
