import type { IncomingMessage } from 'node:http'

/**
 * The beginning of an answer's body; what comes behind it is not read, and its connection not used again.
 *
 * @param longestBytes more is cut off, bytes
 * @throws Error when the connection breaks before
 */
export async function readStart(answer: IncomingMessage, longestBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= longestBytes) break
  }
  return Buffer.concat(chunks).subarray(0, longestBytes)
}
