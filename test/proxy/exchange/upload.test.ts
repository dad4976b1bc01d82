import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Upload } from '../../../src/proxy/exchange/upload.ts'

/** A request's body as it comes, and the upload of it. */
function startUpload(headers: Readonly<Record<string, string>>, mostBytes = Number.POSITIVE_INFINITY) {
  const source = Object.assign(new PassThrough(), { headers }) as unknown as IncomingMessage & PassThrough
  const upload = new Upload(source, { mayPass: (totalBytes) => totalBytes <= mostBytes })
  return { source, upload }
}

/** What an upload hands over from now on, as undici would hear it. */
function listen(upload: Upload): { readonly chunks: string[]; readonly ended: Promise<void> } {
  const chunks: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  upload.on('data', (chunk: Buffer) => chunks.push(chunk.toString())).on('end', resolve)
  return { chunks, ended: promise }
}

const gather = (upload: Upload): Promise<Upload | Buffer> => new Promise((resolve) => upload.gather(resolve))

test('a small body that comes with its head is sent in one piece', async () => {
  const { source, upload } = startUpload({ 'content-length': '6' })
  source.write('one')
  source.end('two')
  expect(await gather(upload)).toEqual(Buffer.from('onetwo'))
})

test('a small body that comes more slowly is not waited for, and loses nothing', async () => {
  const { source, upload } = startUpload({ 'content-length': '11' })
  source.write('one')
  expect(await gather(upload)).toBe(upload)
  source.write('two')
  await nextTurn()
  const { chunks, ended } = listen(upload)
  upload.resume()
  source.end('three')
  await ended
  expect(chunks.join('')).toBe('onetwothree')
  expect(chunks[0]).toBe('one')
  expect(upload.bytes).toBe(11)
})

test('a body of which nothing has come with its head goes on when it comes', async () => {
  const { source, upload } = startUpload({ 'content-length': '3' })
  expect(await gather(upload)).toBe(upload)
  const { chunks, ended } = listen(upload)
  upload.resume()
  source.end('one')
  await ended
  expect(chunks).toEqual(['one'])
})

test('an upstream that is full already at the first piece gets the next one when it has drained', async () => {
  const { source, upload } = startUpload({ 'content-length': '6' })
  source.write('one')
  await gather(upload)
  const { chunks, ended } = listen(upload)
  upload.once('data', () => upload.pause())
  upload.resume()
  source.end('two')
  await nextTurn()
  expect(chunks).toEqual(['one'])
  upload.resume()
  await ended
  expect(chunks).toEqual(['one', 'two'])
})

test.each([
  ['large', { 'content-length': '65537' }],
  ['of unknown length', { 'transfer-encoding': 'chunked' }],
])('a body that is %s is sent as it comes, at once', (_name, headers) => {
  const { upload } = startUpload(headers)
  let told: unknown
  upload.gather((body) => {
    told = body
  })
  expect(told).toBe(upload)
})

test('what is given up before it is handed over hands nothing over', async () => {
  const { source, upload } = startUpload({ 'content-length': '6' })
  source.write('one')
  await gather(upload)
  const { chunks } = listen(upload)
  upload.resume()
  upload.destroy()
  await nextTurn()
  expect(chunks).toEqual([])
})

test('what is given up while it is gathered is sent to nobody, and its rest is not held back', async () => {
  const { source, upload } = startUpload({ 'content-length': '6' })
  source.write('one')
  let isTold = false
  upload.gather(() => {
    isTold = true
  })
  upload.destroy()
  await nextTurn()
  await nextTurn()
  expect([isTold, source.isPaused(), source.readableLength]).toEqual([false, false, 0])
})

test('a piece that goes over the limit is told of, and not kept', async () => {
  const { source, upload } = startUpload({ 'content-length': '6' }, 3)
  source.write('one')
  source.end('two')
  expect(await gather(upload)).toEqual(Buffer.from('one'))
  expect(upload.bytes).toBe(6)
})
