import type { IncomingMessage, ServerResponse } from 'node:http'

/** What is written by hand where no frontend answers. */
export interface PlainAnswer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** Writes an answer that no frontend has written. */
export function writePlain(
  request: IncomingMessage,
  response: ServerResponse,
  { status, type, body }: PlainAnswer,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
