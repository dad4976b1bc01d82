/** No answer of a provider needs more: key sets and metadata are tens of kilobytes, bytes. */
const largestAnswerBytes = 1024 * 1024

/** The provider's answer was too large to be one. */
export class AnswerTooLargeError extends Error {
  override readonly name = 'AnswerTooLargeError'
}

/** What came back is not what a provider answers: a page, half an answer, nothing, a status that HTTP does not know. */
export class AnswerMalformedError extends Error {
  override readonly name = 'AnswerMalformedError'
}

/** The part of an answer that is read here; undici's own `Response` and Node's global one both have it. */
interface StreamedAnswer {
  readonly status: number
  readonly headers: Iterable<[string, string]>
  readonly body: AsyncIterable<Uint8Array> | null
}

/**
 * The answer, read whole.
 *
 * @throws AnswerTooLargeError, AnswerMalformedError, whatever the stream throws
 */
export async function readBounded(answer: StreamedAnswer): Promise<Response> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of answer.body ?? []) {
    length += chunk.byteLength
    if (length > largestAnswerBytes) throw new AnswerTooLargeError('the answer is larger than 1 MiB')
    chunks.push(chunk)
  }
  // Statuses beyond these can be received, but no Response can be made with them.
  if (answer.status < 200 || answer.status > 599)
    throw new AnswerMalformedError('the status is no HTTP status')
  const hasNoBody = answer.status === 204 || answer.status === 205 || answer.status === 304
  return new Response(hasNoBody ? null : Buffer.concat(chunks), {
    status: answer.status,
    headers: new Headers([...answer.headers]),
  })
}
