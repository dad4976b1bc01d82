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

/**
 * Reads what a 401 says about a token; `undefined` when it says nothing. An API that takes tokens either way names both (RFC 9449 section
 * 7.1): what has an error is about the token that it got.
 *
 * @param sent the scheme of that token
 */
export function readBearerChallenge(
  value: string,
  sent: BearerChallenge['scheme'] = 'bearer',
): BearerChallenge | undefined {
  const named = (splitChallenges(value) ?? []).flatMap(readToken)
  const faults = named.filter(({ error }) => error !== undefined)
  return faults.find(({ scheme }) => scheme === sent) ?? faults[0] ?? named[0]
}

function readToken({ scheme, text }: Challenge): readonly BearerChallenge[] {
  if (scheme !== 'bearer' && scheme !== 'dpop') return []
  const maxAge = parameter(text, 'max_age')
  return [
    {
      scheme,
      error: parameter(text, 'error'),
      description: parameter(text, 'error_description'),
      acrValues: parameter(text, 'acr_values'),
      claims: parameter(text, 'claims'),
      maxAge: maxAge !== undefined && /^\d{1,9}$/.test(maxAge) ? maxAge : undefined,
    },
  ]
}

function parameter(challenge: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|[\\s,])${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s",]+))`, 'i').exec(
    challenge,
  )
  return match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2]
}
