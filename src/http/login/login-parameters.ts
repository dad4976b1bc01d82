import { Buffer } from 'node:buffer'
import { invalid } from '../server/query.ts'

/** Longest value of a parameter that is passed on to the provider, bytes. */
const maxValueBytes = 512

/** `max_age` beyond ten digits means nothing. */
const wholeSeconds = /^\d{1,10}$/

/**
 * Picks what `/login` passes on to the provider out of its query.
 *
 * @param allowed `LOGIN_PARAMETERS`; nothing else is passed on
 * @throws GatewayError `request_invalid`
 */
export function pickLoginParameters(
  untrusted: ReadonlyMap<string, string>,
  allowed: readonly string[],
): Readonly<Record<string, string>> {
  const picked: Record<string, string> = {}
  for (const name of allowed) {
    const value = untrusted.get(name)
    if (value !== undefined) picked[name] = checkValue(name, value)
  }
  return picked
}

function checkValue(name: string, untrusted: string): string {
  if (Buffer.byteLength(untrusted) > maxValueBytes) throw invalid(`The parameter ${name} is too long.`)
  if (hasControl(untrusted)) throw invalid(`The parameter ${name} holds a control character.`)
  if (name === 'max_age' && !wholeSeconds.test(untrusted)) {
    throw invalid('The parameter max_age must be a whole number of seconds.')
  }
  return untrusted
}

function hasControl(untrusted: string): boolean {
  for (const character of untrusted) {
    const code = character.codePointAt(0) ?? 0
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true
  }
  return false
}

/** What a login is asked for. */
export interface AskedLogin {
  readonly returnTo: string
  readonly parameters: Readonly<Record<string, string>>
  /** A sealed demand, as a link brings it. */
  readonly stepUp?: string | undefined
}
