import type { IncomingMessage, ServerResponse } from 'node:http'
import type { OriginalRequest } from './original-request.ts'

/** One of the addresses of the listener, and how what is asked there is answered. */
export interface QuestionKind {
  readonly path: string
  /** A page that needs a session leads to the login instead of being refused: for proxies that hand answers on. */
  readonly redirects: boolean
  /** What was refused is asked again so that the answer can be shown: nothing is granted, and nothing spent. */
  readonly isRehearsal: boolean
}

const kinds: readonly QuestionKind[] = [
  { path: '/check', redirects: false, isRehearsal: false },
  { path: '/check/redirect', redirects: true, isRehearsal: false },
  { path: '/check/refusal', redirects: false, isRehearsal: true },
  { path: '/check/refusal/redirect', redirects: true, isRehearsal: true },
]

const kindOf = new Map(kinds.map((kind) => [kind.path, kind]))

/** The addresses, as the metrics know them. */
export const questionLabels: ReadonlyMap<string, string> = new Map(kinds.map(({ path }) => [path, path]))

/** What is asked at a target. Its query is not read: some proxies put the browser's own there. */
export function questionKindOf(untrustedTarget: string): QuestionKind | undefined {
  const queryAt = untrustedTarget.indexOf('?')
  return kindOf.get(queryAt === -1 ? untrustedTarget : untrustedTarget.slice(0, queryAt))
}

/** Another proxy's question whether it may let a request through. */
export interface Question {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly kind: QuestionKind
  readonly original: OriginalRequest
}
