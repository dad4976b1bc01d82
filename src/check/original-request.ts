import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../errors/gateway-error.ts'

/** The request that another proxy asks about (DESIGN-2 section 8), in its words; those who may speak here are believed. */
export interface OriginalRequest {
  readonly method: string
  /** Path and query, as the browser sent them. */
  readonly target: string
  /** The authority that was asked for. */
  readonly host: string
}

/** `FORWARD_AUTH_HEADERS`: which of the two usual sets of names is read. The other one is a browser's to forge, and means nothing. */
export type OriginalHeaders = 'x-forwarded' | 'x-original'

/** What is wrong with a header that should be there once. */
type Fault = 'absent' | 'empty' | 'repeated' | 'malformed'

interface Field {
  /** As it is written in configurations. */
  readonly name: string
  /** As it is found here. */
  readonly key: string
  readonly form: RegExp
  /** The line of nginx that sends it. Caddy and Traefik send theirs by themselves. */
  readonly nginxValue: string
}

interface Fields {
  readonly method: Field
  readonly target: Field
  readonly host: Field
  readonly scheme: Field
}

function field(name: string, nginxValue: string, form: RegExp): Field {
  return { name, key: name.toLowerCase(), form, nginxValue }
}

/** Node joins lines of one name by a comma and a blank, and none of these forms has a blank: so each is there once. A token (RFC 9110 section 5.6.2). */
const methodForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Anything without blanks: which targets are fit, the routes' own rule says. */
const targetForm = /^\S+$/
const hostForm = /^[\w.~%:[\]-]+$/
const schemeForm = /^(?:https?|wss?)$/i

const common = {
  host: field('X-Forwarded-Host', '$http_host', hostForm),
  scheme: field('X-Forwarded-Proto', '$scheme', schemeForm),
}

const fieldsOf: Readonly<Record<OriginalHeaders, Fields>> = {
  'x-forwarded': {
    method: field('X-Forwarded-Method', '$request_method', methodForm),
    target: field('X-Forwarded-Uri', '$request_uri', targetForm),
    ...common,
  },
  'x-original': {
    method: field('X-Original-Method', '$request_method', methodForm),
    target: field('X-Original-URI', '$request_uri', targetForm),
    ...common,
  },
}

type HeaderLines = Pick<IncomingMessage, 'headers' | 'rawHeaders'>

/**
 * Reads what the proxy says of the original request. Nothing stands in for what is missing: without a method, for one, a foreign POST would
 * look like a GET. The scheme is compared with nothing.
 *
 * @throws GatewayError `request_invalid`, whose context names the line that the proxy's configuration lacks
 */
export function readOriginal(lines: HeaderLines, kind: OriginalHeaders): OriginalRequest {
  const { method, target, host, scheme } = fieldsOf[kind]
  only(lines, scheme)
  return { method: only(lines, method), target: only(lines, target), host: only(lines, host) }
}

function only(lines: HeaderLines, { name, key, form, nginxValue }: Field): string {
  const value = lines.headers[key]
  if (typeof value === 'string' && form.test(value)) return value
  throw new GatewayError('request_invalid', {
    detail: `The proxy must send ${name}, once.`,
    context: {
      header: name,
      fault: faultOf(lines, key),
      lacks: `nginx: proxy_set_header ${name} ${nginxValue};`,
    },
  })
}

function faultOf(lines: HeaderLines, key: string): Fault {
  const count = countLines(lines, key)
  if (count === 0) return 'absent'
  if (count > 1) return 'repeated'
  return lines.headers[key] === '' ? 'empty' : 'malformed'
}

function countLines({ rawHeaders }: HeaderLines, key: string): number {
  return rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === key).length
}
