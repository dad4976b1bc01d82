/** Where a route sends what comes after its prefix; derived once from the configuration. */
export interface TargetRule {
  /** What the browser's path starts with; '' for a rule that takes every path. */
  readonly prefix: string
  /** The upstream's path that stands in its place: no trailing slash, '' for the root. */
  readonly upstreamPath: string
  /** Where the bare prefix leads: the upstream's path as it was configured. */
  readonly upstreamRoot: string
}

/** Nothing legitimate is escaped more often than this; deeper nesting is refused unread. */
const maxDecodings = 4

/** Outside of printable ASCII, and the fragment sign, which has no place in a request target. */
const illegalCharacter = /[^!-~]|#/

/** Without any of these a path means the same to everybody, and needs no second look. */
const needsSecondLook = /[%\\;]|\/\.|\/\//

/** Backslashes and control characters, which some servers take for slashes, path ends or line ends. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const forbiddenByte = /[\\\u0000-\u001f\u007f]/

/** Bytes of UTF-8 that is longer than it need be: the classic disguise of dots and slashes. */
const overlongUtf8 = /[\xc0\xc1\xf5-\xff]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]/

/** `.` and `..`, also with path parameters (`..;x`), trailing blanks, or an escaped query behind them. */
const dotSegment = /(?:^|\/)\.{1,2} *(?:$|[/;?#])/

/** A path that begins with two slashes, or with a segment of parameters only, which some servers drop (`/;x/`). */
const emptyFirstSegment = /^\/(?:;[^/]*)?\//

/** The route's rule for its targets. Where another proxy carries the request, the target stays as it is. */
export function createTargetRule(prefix: string, upstream: URL | 'external'): TargetRule {
  if (upstream === 'external') return { prefix, upstreamPath: prefix, upstreamRoot: prefix }
  const upstreamRoot = upstream.pathname
  return { prefix, upstreamPath: upstreamRoot.replace(/\/+$/, ''), upstreamRoot }
}

/**
 * The target to ask the upstream for, byte for byte what came, with the upstream's path in place of the prefix.
 * `undefined` for a target that is malformed, that does not literally begin with the prefix (`/%61pi`, absolute form), or whose
 * path means different things to different servers (DESIGN section 2.3). The query is never interpreted.
 *
 * @param untrustedTarget the request line's target, as it came
 */
export function upstreamTarget(untrustedTarget: string, rule: TargetRule): string | undefined {
  const { prefix } = rule
  if (!untrustedTarget.startsWith(prefix) || illegalCharacter.test(untrustedTarget)) return undefined
  const queryAt = untrustedTarget.indexOf('?', prefix.length)
  const pathEnd = queryAt === -1 ? untrustedTarget.length : queryAt
  if (pathEnd === prefix.length) return rule.upstreamRoot + untrustedTarget.slice(pathEnd)
  if (untrustedTarget.charCodeAt(prefix.length) !== slash) return undefined
  const path = untrustedTarget.slice(prefix.length, pathEnd)
  if (needsSecondLook.test(path) && isAmbiguousPath(path)) return undefined
  return rule.upstreamPath + untrustedTarget.slice(prefix.length)
}

const slash = 0x2f

/** Looks at the path as it is, and as every server would see it that decodes it once, twice or more. */
function isAmbiguousPath(path: string): boolean {
  if (!isWellFormed(path)) return true
  let seen = path
  for (let decodings = 0; decodings <= maxDecodings; decodings += 1) {
    if (holdsTrick(seen)) return true
    const decoded = decodeBytes(seen)
    if (decoded === seen) return false
    seen = decoded
  }
  return true
}

function holdsTrick(path: string): boolean {
  return (
    forbiddenByte.test(path) ||
    overlongUtf8.test(path) ||
    dotSegment.test(path) ||
    emptyFirstSegment.test(path)
  )
}

/** Whether every escape is one, and all of them together are UTF-8 (RFC 3986 section 2.5). */
function isWellFormed(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/** Decodes each escape to one character per byte; what is no escape stays. */
function decodeBytes(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
