import type { ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { AnswerWriter } from '../../../src/proxy/exchange/answer-writer.ts'
import type { ProxiedRequest } from '../../../src/proxy/exchange/proxied-request.ts'

/** What a browser has not taken yet waits in the stream, as it does on a connection whose system takes nothing. */
function startWriter() {
  const response = new PassThrough({ highWaterMark: 64 * 1_024 })
  const request = { response: response as unknown as ServerResponse } as ProxiedRequest
  return { response, writer: new AnswerWriter(request) }
}

const piece = Buffer.alloc(64 * 1_024)

test('the upstream is told to wait only once more than 128 KB wait for the browser, and to go on when those are taken', async () => {
  const { response, writer } = startWriter()
  const whenDrained = vi.fn()
  while (writer.write(piece, whenDrained))
    expect(response.writableLength).toBeLessThanOrEqual(2 * piece.length)
  expect(response.writableLength).toBe(3 * piece.length)
  expect(whenDrained).not.toHaveBeenCalled()
  const drained = new Promise((resolve) => response.once('drain', resolve))
  response.resume()
  await drained
  expect(whenDrained).toHaveBeenCalledOnce()
})
