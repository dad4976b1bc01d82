import type { IncomingHttpHeaders } from 'node:http'

/** A strong validator, as no file of the app has one. */
const ofNoFile = '""'

/** The compressed forms that may lie beside a file, best first. */
const codings = ['br', 'gzip', 'deflate'] as const

/** RFC 9110 section 12.4.2. */
const weightForm = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/** RFC 9110 section 14.1.2: from here to there, from here on, or the last so many bytes. */
const rangeForm = /^(?:(?<first>\d+)-(?<last>\d*)|-(?<suffix>\d+))$/

/**
 * Rewrites what a request asks of a file to what the library judges rightly (RFC 9110 sections 12.5.3, 13.1 and 14.2). Our validators are weak
 * ones, which never meet `If-Match` or `If-Range`; no date of a file is ever told, so that none can be compared with; and there are parts for `GET`
 * alone.
 */
export function settleConditions(headers: IncomingHttpHeaders, method: string): void {
  const { 'if-match': ifMatch, 'accept-encoding': accepted } = headers
  if (ifMatch !== undefined && ifMatch.trim() !== '*') headers['if-match'] = ofNoFile
  delete headers['if-unmodified-since']
  if (headers['if-range'] !== undefined || method !== 'GET') delete headers.range
  if (accepted !== undefined) headers['accept-encoding'] = acceptedCodings(String(accepted))
}

/** Rewrites the parts that are asked for, now that the file is known, to such as the library reads rightly, and drops what asks for none. */
export function settleRange(headers: IncomingHttpHeaders, sizeBytes: number): void {
  if (headers.range === undefined) return
  const parts = partsOf(headers.range, sizeBytes)
  if (parts === undefined) delete headers.range
  else headers.range = `bytes=${parts.join(',')}`
}

/** The compressed forms that are welcome, by name: a `*` means those that are not named, and whoever wants the plain form more gets that. */
function acceptedCodings(untrusted: string): string {
  const weights = new Map<string, number>()
  for (const item of untrusted.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim())
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1'
    weights.set(coding, weightForm.test(weight) ? Number(weight) : 0)
  }
  const least = weights.get('identity') ?? 0
  return codings
    .map((coding) => ({ coding, weight: weights.get(coding) ?? weights.get('*') ?? 0 }))
    .filter(({ weight }) => weight > 0 && weight >= least)
    .map(({ coding, weight }) => `${coding};q=${weight}`)
    .join(', ')
}

/** The parts of a range that may be asked for; `undefined`: it is to be ignored, and all of the file is due. */
function partsOf(untrusted: string, sizeBytes: number): readonly string[] | undefined {
  const [unit = '', set = ''] = untrusted.split('=', 2)
  if (unit.trim().toLowerCase() !== 'bytes') return undefined
  const parts = set
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => partOf(part, sizeBytes))
  const known = parts.filter((part) => part !== undefined)
  return known.length === 0 || known.length < parts.length ? undefined : known
}

function partOf(untrusted: string, sizeBytes: number): string | undefined {
  const { first, last, suffix } = rangeForm.exec(untrusted)?.groups ?? {}
  if (suffix === undefined)
    return first === undefined || (last !== '' && Number(last) < Number(first)) ? undefined : untrusted
  // The last bytes of a file that has fewer are all of it; none can be told of an empty one.
  if (Number(suffix) === 0) return `${sizeBytes}-`
  if (sizeBytes === 0) return undefined
  return Number(suffix) < sizeBytes ? untrusted : '0-'
}
