/**
 * Streams 1 GB up and 1 GB down through the proxy, which runs in a process of its own, and prints how much memory that process
 * took. `node bench/trials/stream-memory.ts [megabytes]`
 */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { ownFetch, routeTo, startProxy } from '../../test/proxy/support/harness.ts'

const megabyte = Buffer.alloc(1_000_000, 'm')
const sampleMs = 50

async function runProxy(upstream: string): Promise<void> {
  const proxy = await startProxy({ routes: [routeTo(upstream, { bodyLimitBytes: Number.MAX_SAFE_INTEGER })] })
  process.send?.(proxy.port)
}

/** Resident memory of a process, megabytes. */
function residentMegabytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kilobytes) / 1_000)
}

async function measured(pid: number, name: string, megabytes: number, work: Promise<unknown>): Promise<void> {
  const before = residentMegabytes(pid)
  const startedAt = performance.now()
  let peak = before
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMegabytes(pid))
  }, sampleMs)
  await work
  clearInterval(timer)
  const seconds = (performance.now() - startedAt) / 1_000
  console.log(
    `${name} of ${megabytes} MB: ${Math.round(megabytes / seconds)} MB/s, resident memory ${before} MB before, ${peak} MB at most`,
  )
}

function download(port: number, megabytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    sendRequest({ host: '127.0.0.1', port, path: '/api/down', headers: ownFetch }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      response.once('end', () =>
        bytes === megabytes * megabyte.length ? resolve() : reject(new Error(`${bytes} bytes came`)),
      )
    })
      .once('error', reject)
      .end()
  })
}

function upload(port: number, megabytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = sendRequest({
      host: '127.0.0.1',
      port,
      path: '/api/up',
      method: 'POST',
      headers: ownFetch,
    })
    request.once('error', reject).once('response', (response) => response.resume().once('end', resolve))
    let written = 0
    const more = (): void => {
      let hasRoom = true
      while (written < megabytes && hasRoom) {
        hasRoom = request.write(megabyte)
        written += 1
      }
      if (written === megabytes) request.end()
    }
    request.on('drain', more)
    more()
  })
}

async function main(megabytes: number): Promise<void> {
  const upstream = createServer((request, response) => {
    if (request.url === '/up') {
      request.resume().once('end', () => response.end())
      return
    }
    let written = 0
    const more = (): void => {
      let hasRoom = true
      while (written < megabytes && hasRoom) {
        hasRoom = response.write(megabyte)
        written += 1
      }
      if (written === megabytes) response.end()
    }
    response.on('drain', more)
    more()
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const proxy = fork(fileURLToPath(import.meta.url), ['--proxy', origin])
  const port = await new Promise<number>((resolve) => proxy.once('message', (said) => resolve(Number(said))))
  const pid = proxy.pid ?? 0
  await measured(pid, 'download', megabytes, download(port, megabytes))
  await measured(pid, 'upload', megabytes, upload(port, megabytes))
  proxy.kill()
  upstream.close()
  upstream.closeAllConnections()
}

const [first, origin] = process.argv.slice(2)
if (first === '--proxy') await runProxy(origin ?? '')
else await main(Number(first ?? 1_000))
