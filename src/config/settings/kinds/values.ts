import { hasReservedEnding } from '../../cookie-names.ts'
import { type Parser, ValueFault } from '../setting.ts'

/** Any text of one line. */
export const text: Parser<string> = (untrusted) => {
  for (const character of untrusted) {
    const code = character.codePointAt(0) ?? 0
    if (code < 0x20 || code === 0x7f) throw new ValueFault('holds a control character or line break')
  }
  return untrusted
}

/** One of a few words. */
export function oneOf<const Words extends readonly string[]>(...words: Words): Parser<Words[number]> {
  return (untrusted) => {
    const word = words.find((candidate) => candidate === untrusted.toLowerCase())
    if (word === undefined) throw new ValueFault(`must be one of ${words.join(', ')}`)
    return word
  }
}

const switchWords: Readonly<Record<string, boolean>> = {
  on: true,
  true: true,
  yes: true,
  1: true,
  off: false,
  false: false,
  no: false,
  0: false,
}

/** `on` or `off`, and what people write instead. */
export const onOff: Parser<boolean> = (untrusted) => {
  const word = untrusted.toLowerCase()
  const value = Object.hasOwn(switchWords, word) ? switchWords[word] : undefined
  if (value === undefined) throw new ValueFault('must be on or off')
  return value
}

/** A whole number within limits, decimal digits only. */
export function wholeNumber(least: number, most: number): Parser<number> {
  return (untrusted) => {
    const value = /^\d{1,15}$/.test(untrusted) ? Number(untrusted) : Number.NaN
    if (!(value >= least && value <= most)) {
      throw new ValueFault(`must be a whole number from ${least} to ${most}`)
    }
    return value
  }
}

const secondsPerUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** A time in whole seconds, or with one of the units s, m, h, d. */
export function seconds(least: number, most: number): Parser<number> {
  return (untrusted) => {
    const [, digits, unit = 's'] = /^(\d{1,12}) ?([smhd])?$/.exec(untrusted.toLowerCase()) ?? []
    const value = Number(digits ?? Number.NaN) * (secondsPerUnit[unit] ?? 1)
    if (!(value >= least && value <= most)) {
      throw new ValueFault(
        `must be a time such as 90, 30m or 8h: whole seconds without a unit, from ${least} to ${most} of them`,
      )
    }
    return value
  }
}

/** A TCP port to listen on. */
export const port = wholeNumber(1, 65_535)

const bytesPerUnit: Readonly<Record<string, number>> = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 }

/** A size in bytes, or with one of the units kb, mb, gb (powers of 1,024). */
export function bytes(most: number): Parser<number> {
  return (untrusted) => {
    const [, digits, unit = 'b'] = /^(\d{1,12}) ?(b|kb|mb|gb)?$/.exec(untrusted.toLowerCase()) ?? []
    const value = Number(digits ?? Number.NaN) * (bytesPerUnit[unit] ?? 1)
    if (!(value >= 1 && value <= most)) {
      throw new ValueFault(`must be a size such as 512kb or 10mb, at least 1 and at most ${most} bytes`)
    }
    return value
  }
}

/** A comma-separated list; blanks around items do not count, empty items and repetitions are refused. */
export function listOf<Item>(item: Parser<Item>): Parser<readonly Item[]> {
  return (untrusted) => {
    const parts = untrusted.split(',').map((part) => part.trim())
    if (parts.includes('')) throw new ValueFault('holds an empty item: look for a stray comma')
    if (new Set(parts).size !== parts.length) throw new ValueFault('holds an item twice')
    return parts.map(item)
  }
}

/** A list that may be empty, which is written as `none`. */
export function listOrNone<Item>(item: Parser<Item>): Parser<readonly Item[]> {
  const list = listOf(item)
  return (untrusted) => (untrusted.toLowerCase() === 'none' ? [] : list(untrusted))
}

/** A scope of RFC 6749 section 3.3 that asks for OpenID Connect; blanks are normalised. */
export const openidScope: Parser<string> = (untrusted) => {
  const value = scope(untrusted)
  if (!value.split(' ').includes('openid')) {
    throw new ValueFault('must contain openid, otherwise there is no sign-in')
  }
  return value
}

/** A scope of RFC 6749 section 3.3; blanks are normalised. */
export const scope: Parser<string> = (untrusted) => {
  const tokens = untrusted.split(/ +/).filter((token) => token !== '')
  if (tokens.length === 0 || tokens.some((token) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(token))) {
    throw new ValueFault('must be scope tokens separated by blanks')
  }
  return tokens.join(' ')
}

/** The name of a claim, or a JSON Pointer (RFC 6901) to a nested one. */
export const claimName: Parser<string> = (untrusted) => {
  if (untrusted.startsWith('/') && /~(?![01])/.test(untrusted))
    throw new ValueFault('holds a pointer with a ~ that is neither ~0 nor ~1')
  if (!/^[\x21-\x7e]{1,128}$/.test(untrusted)) throw new ValueFault('holds something that is no claim name')
  return untrusted
}

/** A value of `Strict-Transport-Security` (RFC 6797 section 6.1); `off` sends none, `auto` decides by the host. */
export const hsts: Parser<string | undefined> = (untrusted) => {
  if (untrusted.toLowerCase() === 'off') return undefined
  if (untrusted.toLowerCase() === 'auto') return 'auto'
  if (!/^max-age=\d{1,10}(; ?includeSubDomains)?(; ?preload)?$/i.test(untrusted)) {
    throw new ValueFault('must be auto, off, or max-age=… with includeSubDomains and preload after it')
  }
  return untrusted
}

/** The word of our own in the names of cookies, free of the endings that tell the cookies of one gateway apart. */
export const cookieWord: Parser<string> = (untrusted) => {
  if (!/^[A-Za-z0-9-]{1,32}$/.test(untrusted)) {
    throw new ValueFault('must be letters, digits and -, at most 32 of them')
  }
  if (hasReservedEnding(untrusted)) {
    throw new ValueFault('must not hold -login- or -logout-, or end in -device: those are made from it')
  }
  return untrusted
}

/** A number from 0 to 1. */
export const fraction: Parser<number> = (untrusted) => {
  const value = Number(untrusted)
  if (!/^(\d*\.)?\d+$/.test(untrusted) || value > 1) throw new ValueFault('must be a number from 0 to 1')
  return value
}

/** Headers in the form of OpenTelemetry: `name=value`, separated by commas, values percent-encoded. */
export const headerList: Parser<Readonly<Record<string, string>>> = (untrusted) => {
  const pairs = untrusted.split(',').map((pair) => {
    const match = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=([^,]*)$/.exec(pair)
    if (match === null) throw new ValueFault('must be name=value, several separated by commas')
    return [match[1] ?? '', decodeHeaderValue(match[2]?.trim() ?? '')] as const
  })
  return Object.fromEntries(pairs)
}

function decodeHeaderValue(encoded: string): string {
  try {
    const value = decodeURIComponent(encoded)
    if (!/[\r\n\0]/.test(value)) return value
  } catch {
    // Said below, without the value.
  }
  throw new ValueFault('holds a value that is not percent-encoded text for a header')
}
