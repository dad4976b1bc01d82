import { MIMEType } from 'whatwg-mimetype'

/** What is done differently for an answer because of its type. */
export interface MediaTypeFacts {
  /** A browser runs nothing of it, however it comes to show it. */
  readonly isInert: boolean
  readonly isEventStream: boolean
  readonly isHtml: boolean
}

/** Types that browsers only show, play, parse as data or save. */
const inertTypes: ReadonlySet<string> = new Set([
  'application/json',
  'text/json',
  'text/plain',
  'text/csv',
  'text/event-stream',
  'application/ndjson',
  'application/x-ndjson',
  'application/jsonl',
  'application/pdf',
  'application/octet-stream',
  'application/zip',
  'application/gzip',
  'application/x-gzip',
  'application/x-tar',
  'application/x-bzip2',
  'application/x-xz',
  'application/zstd',
  'application/x-7z-compressed',
  'application/vnd.rar',
  'application/x-rar-compressed',
  'application/font-woff',
  'application/font-woff2',
  'application/x-font-ttf',
  'application/x-font-otf',
  'application/vnd.ms-fontobject',
])

const inertFamilies: ReadonlySet<string> = new Set(['image', 'audio', 'video', 'font'])

/** SVG and whatever else of these families is XML, which may hold scripts. */
const scriptable = /svg|xml/

/** How many types are remembered, and how long they may be, characters: they come from upstreams. */
const rememberedTypes = 256
const longestRememberedType = 128

const known = new Map<string, MediaTypeFacts>()

/** What the value of a `content-type` header means; several values are joined by commas. */
export function mediaTypeFacts(contentType: string): MediaTypeFacts {
  const remembered = known.get(contentType)
  if (remembered !== undefined) return remembered
  const lowerCase = contentType.trim().toLowerCase()
  const facts: MediaTypeFacts = {
    isInert: isInert(contentType),
    isEventStream: lowerCase.startsWith('text/event-stream'),
    isHtml: lowerCase.startsWith('text/html'),
  }
  if (known.size < rememberedTypes && contentType.length <= longestRememberedType)
    known.set(contentType, facts)
  return facts
}

/**
 * Only what every reader takes for the same inert type. The parser is the one that browsers are specified to have, and browsers are more
 * lenient than that: Chromium takes `text/html(x)` for HTML, and of several types the last. So a value that it refuses, or that a comma
 * might split, is inert to nobody.
 */
function isInert(contentType: string): boolean {
  if (contentType.includes(',')) return false
  const parsed = MIMEType.parse(contentType)
  if (parsed === null) return false
  const { type, subtype, essence } = parsed
  if (inertTypes.has(essence) || subtype.endsWith('+json')) return true
  return inertFamilies.has(type) && !scriptable.test(subtype)
}
