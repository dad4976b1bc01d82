import { canonicalHeaderName } from '../../../basics/header-name.ts'

/** Names that say how a message is framed, routed or authorised; an identity has no place in them. */
const reservedNames = new Set([
  ...'connection keep-alive te trailer transfer-encoding upgrade host expect content-length content-type'.split(
    ' ',
  ),
  ...'content-encoding date via forwarded x-forwarded authorization dpop cookie set-cookie origin referer'.split(
    ' ',
  ),
  ...'traceparent tracestate x-request-id http2-settings range accept accept-encoding x-real-ip'.split(' '),
])
const reservedPrefixes = ['proxy-', 'x-forwarded-', 'sec-', 'access-control-', 'if-']

/** What is wrong with the name of an identity header, or `undefined`. */
export function identityHeaderProblem(name: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(name)) return 'must be the name of a header'
  const plain = canonicalHeaderName(name)
  const isReserved = reservedNames.has(plain) || reservedPrefixes.some((prefix) => plain.startsWith(prefix))
  return isReserved
    ? 'is a header that belongs to the connection, or that the gateway writes itself'
    : undefined
}

/** The first name that repeats another, spelled alike or only nearly. */
export function repeatedHeader(names: readonly string[]): string | undefined {
  const plain = names.map(canonicalHeaderName)
  return names.find((_, at) => plain.indexOf(plain[at] ?? '') < at)
}
