import type { z } from 'zod'
import type { ConfigFault } from '../config-error.ts'
import type { DocumentPath, DocumentPlace, YamlSource } from './source.ts'

/** A fault of a file at a line (from 1), and at a path of its document. */
export function faultAt(fileName: string, line: number, path: string, problem: string): ConfigFault {
  return { name: `${fileName}:${line}${path === '' ? '' : ` ${path}`}`, problem, example: undefined }
}

/** Faults of a document in the order of its lines. */
export function inOrder(
  places: readonly DocumentPlace[],
  source: YamlSource,
  fileName: string,
): readonly ConfigFault[] {
  return places
    .map((place) => ({ ...place, line: source.lineOf(place.path) }))
    .toSorted((one, other) => one.line - other.line)
    .map(({ line, path, problem }) => faultAt(fileName, line, describePath(path), problem))
}

function describePath(path: DocumentPath): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '')
}

/** Where a schema's issue is, and what it says, in our words. */
export function toPlaces(issue: z.core.$ZodIssue): readonly DocumentPlace[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      problem: 'is not known here, perhaps misspelt',
    }))
  }
  return [{ path: issue.path, problem: describeIssue(issue) }]
}

function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom' || issue.code === 'invalid_format') return issue.message
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) return 'is missing'
  if (issue.code === 'invalid_union' && issue.message !== 'Invalid input') return issue.message
  if (issue.code === 'invalid_union') {
    const messages = issue.errors.flatMap((branch) => branch.map(describeIssue))
    return [...new Set(messages)].join(', or ')
  }
  if (issue.code === 'invalid_key') return issue.issues.map(describeIssue).join(', or ')
  if (issue.code === 'invalid_type') return kinds[issue.expected] ?? 'is of the wrong kind'
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`
  if (issue.code === 'too_small') return describeLeast(issue)
  if (issue.code === 'too_big') return describeMost(issue)
  return `is wrong: ${issue.message}`
}

/** What the schema's library calls a kind of value, as whoever wrote the file knows it. */
const kinds: Readonly<Record<string, string>> = {
  string: 'must be text',
  number: 'must be a number',
  int: 'must be a whole number',
  boolean: 'must be true or false',
  array: 'must be a list',
  object: 'must have keys and values',
  record: 'must have keys and values',
}

function describeLeast({ origin, inclusive, minimum }: z.core.$ZodIssueTooSmall): string {
  if (isSized(origin)) return 'must not be empty'
  return `must be ${inclusive === true ? 'at least' : 'more than'} ${minimum}`
}

function describeMost({ origin, maximum }: z.core.$ZodIssueTooBig): string {
  return isSized(origin) ? `is longer than ${maximum}` : `must be at most ${maximum}`
}

function isSized(origin: string): boolean {
  return origin === 'array' || origin === 'string'
}
