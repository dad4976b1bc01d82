import { type IncomingMessage, request as sendRequest } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { ownFetch, routeTo, startProxy, type TestProxy } from '../support/harness.ts'

let upstream: Upstream
let proxy: TestProxy

beforeEach(async () => {
  upstream = await startUpstream()
  upstream.on('/events', (response) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders(),
  )
})

afterEach(async () => {
  await proxy.stop()
  await upstream.stop()
})

async function start(idleTimeoutSeconds = 1_800, more = {}): Promise<void> {
  proxy = await startProxy({
    routes: [routeTo(upstream.origin, { idleTimeoutMs: 300, ...more })],
    idleTimeoutSeconds,
  })
}

function openEvents(): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sendRequest({ host: '127.0.0.1', port: proxy.port, path: '/api/events', headers: ownFetch, agent: false })
      .once('response', resolve)
      .once('error', reject)
      .end()
  })
}

const ended = (answer: IncomingMessage): Promise<unknown> =>
  new Promise((resolve) => answer.resume().once('end', resolve).once('error', resolve))

describe('an event stream', () => {
  it('shows its head before the first event, and is not collected by proxies in front', async () => {
    await start()
    const answer = await openEvents()
    expect(answer.headers['x-accel-buffering']).toBe('no')
    expect(answer.headers['content-type']).toBe('text/event-stream')
    answer.destroy()
  })

  it('outlives the idle timeout of bodies', async () => {
    await start()
    upstream.on('/events', (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      setTimeout(() => response.end('data: late\n\n'), 900)
    })
    const chunks = await (await openEvents()).toArray()
    expect(Buffer.concat(chunks as Buffer[]).toString()).toBe('data: late\n\n')
  })

  it('is cut by the idle timeout of streams when the route sets one', async () => {
    await start(1_800, { streamIdleTimeoutMs: 300 })
    await ended(await openEvents())
    await upstream.requests[0]?.aborted
  })

  it('ends within a second of its session, at the browser and at the upstream', async () => {
    await start()
    const answer = await openEvents()
    expect(proxy.streams.sse).toBe(1)
    const startedAt = Date.now()
    proxy.sessions.end()
    await ended(answer)
    await upstream.requests[0]?.aborted
    expect(Date.now() - startedAt).toBeLessThan(1_000)
    expect(proxy.streams.sse).toBe(0)
  })

  it('ends at the absolute end, when a refresh has brought that nearer', async () => {
    await start()
    const answer = await openEvents()
    const { view } = proxy.sessions
    if (view === undefined) throw new Error('no session')
    proxy.sessions.view = { ...view, writeId: 'w2', endsAtMs: Date.now() + 400 }
    const startedAt = Date.now()
    for (const listener of proxy.sessions.listeners) listener(view.h)
    await ended(answer)
    expect(Date.now() - startedAt).toBeGreaterThan(390)
    expect(Date.now() - startedAt).toBeLessThan(1_400)
  })

  it('ends when the end of the session went unheard', async () => {
    await start()
    const answer = await openEvents()
    proxy.sessions.isLiveFeed = false
    proxy.sessions.view = undefined
    const startedAt = Date.now()
    await ended(answer)
    expect(Date.now() - startedAt).toBeLessThan(2_000)
  })

  it('ends at the idle end of its session: events are no activity', async () => {
    await start(1)
    upstream.on('/events', (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      const timer = setInterval(() => response.write('data: x\n\n'), 100)
      response.once('close', () => clearInterval(timer))
    })
    const answer = await openEvents()
    setTimeout(() => {
      proxy.sessions.view = undefined
    }, 900)
    const startedAt = Date.now()
    await ended(answer)
    expect(Date.now() - startedAt).toBeLessThan(2_500)
  })

  it('stays open while the store does not answer', async () => {
    await start()
    const answer = await openEvents()
    proxy.sessions.isStoreDown = true
    for (const listener of proxy.sessions.listeners) listener(undefined)
    const outcome = await Promise.race([
      ended(answer).then(() => 'ended'),
      new Promise((resolve) => setTimeout(() => resolve('open'), 400)),
    ])
    expect(outcome).toBe('open')
    answer.destroy()
  })

  it('ends in order when the gateway stops', async () => {
    await start()
    const answer = await openEvents()
    const finished = ended(answer)
    const closed = proxy.app.close()
    await Promise.all([finished, closed])
    expect(answer.complete).toBe(true)
  })
})
