import { Buffer } from 'node:buffer'
import { GatewayError } from '../../errors/gateway-error.ts'

/** What an endpoint reads of its query. */
export interface QueryRules {
  /** The parameters that are read; others are ignored. */
  readonly names: readonly string[]
  /** Longest query, bytes. */
  readonly maxBytes: number
}

/** Longest query of endpoints that take short values only, bytes. */
export const maxQueryBytes = 4_096

/** The server itself refuses longer heads: for endpoints where a long value is no fault, bytes. */
export const maxHeadBytes = 64 * 1_024

/** The query of a request target, without its question mark. */
export function queryOf(untrustedTarget: string): string {
  const at = untrustedTarget.indexOf('?')
  return at === -1 ? '' : untrustedTarget.slice(at + 1)
}

/**
 * Reads parameters strictly: each at most once, as plain text in well-formed UTF-8.
 *
 * @returns the parameters that are there
 * @throws GatewayError `request_invalid`; its detail names the parameter, never its value
 */
export function readQuery(untrustedTarget: string, rules: QueryRules): ReadonlyMap<string, string> {
  const query = queryOf(untrustedTarget)
  if (Buffer.byteLength(query) > rules.maxBytes) throw invalid('The query is too long.')
  const found = new Map<string, string>()
  for (const pair of query.split('&')) {
    const equalsAt = pair.indexOf('=')
    const name = decode(equalsAt === -1 ? pair : pair.slice(0, equalsAt))
    const known = rules.names.find((candidate) => name === candidate || name.startsWith(`${candidate}[`))
    if (known === undefined) continue
    if (name !== known || found.has(known)) throw invalid(`The parameter ${known} must be there only once.`)
    found.set(known, decode(equalsAt === -1 ? '' : pair.slice(equalsAt + 1)))
  }
  return found
}

function decode(untrusted: string): string {
  try {
    return decodeURIComponent(untrusted.replaceAll('+', ' '))
  } catch {
    throw invalid('The query is not encoded correctly.')
  }
}

/** A parameter that cannot be read. The detail must not repeat what was sent. */
export function invalid(detail: string): GatewayError {
  return new GatewayError('request_invalid', { detail })
}
