import type { Telemetry } from '../telemetry/telemetry.ts'

/** No answer of a provider needs more: key sets and metadata are tens of kilobytes, bytes. */
const largestAnswerBytes = 1024 * 1024

/** The provider's answer was too large to be one. */
export class AnswerTooLargeError extends Error {
  override readonly name = 'AnswerTooLargeError'
}

/** What is asked for, as openid-client hands it over. */
export interface FetchInit {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body: ArrayBuffer | null | ReadableStream | string | Uint8Array | undefined | URLSearchParams
  readonly redirect: 'manual'
  readonly signal?: AbortSignal
}

/** A `fetch` that is bounded in time and size; it fits openid-client's `customFetch`. */
export type BoundedFetch = (url: string, init: FetchInit) => Promise<Response>

/** What came back is not what a provider answers: a page, half an answer, nothing, a status that HTTP does not know. */
export class AnswerMalformedError extends Error {
  override readonly name = 'AnswerMalformedError'
}

/**
 * `fetch` for requests to the provider: never follows a redirect, and never reads more than 1 MiB.
 *
 * @param timeoutMs deadline of the whole exchange, body included
 */
export function createBoundedFetch(
  { metrics, tracing }: Pick<Telemetry, 'metrics' | 'tracing'>,
  timeoutMs: number,
): BoundedFetch {
  return async (url, init) => {
    const startedAt = performance.now()
    const operation = operationOf(url)
    const span = tracing?.beginProviderCall(operation)
    const report = (outcome: string): void => {
      metrics.provider(operation, outcome, (performance.now() - startedAt) / 1_000)
      span?.end(outcome)
    }
    try {
      const response = await fetch(url, {
        ...init,
        body: init.body ?? null,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      } as RequestInit)
      const bounded = await readBounded(response)
      report(`${Math.floor(response.status / 100)}xx`)
      return bounded
    } catch (error) {
      report('error')
      throw error
    }
  }
}

/** A name from a closed set: paths of a provider are not ours to put into labels. */
function operationOf(url: string): string {
  if (url.includes('/.well-known/')) return 'discovery'
  if (/jwks|certs|keys/.test(url)) return 'keys'
  return /revo/.test(url) ? 'revocation' : 'token'
}

async function readBounded(response: Response): Promise<Response> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength
    if (length > largestAnswerBytes) throw new AnswerTooLargeError('the answer is larger than 1 MiB')
    chunks.push(chunk)
  }
  // Statuses beyond these can be received, but no Response can be made with them.
  if (response.status < 200 || response.status > 599)
    throw new AnswerMalformedError('the status is no HTTP status')
  const hasNoBody = response.status === 204 || response.status === 205 || response.status === 304
  return new Response(hasNoBody ? null : Buffer.concat(chunks), {
    status: response.status,
    headers: response.headers,
  })
}
