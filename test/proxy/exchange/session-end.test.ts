import { type IncomingMessage, request as sendRequest } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { cookie, ownFetch, routeTo, startProxy, type TestProxy } from '../support/harness.ts'

let upstream: Upstream
let proxy: TestProxy

beforeEach(async () => {
  upstream = await startUpstream()
  proxy = await startProxy({
    routes: [
      routeTo(upstream.origin),
      routeTo(upstream.origin, { prefix: '/maybe', auth: 'optional' }),
      routeTo(upstream.origin, { prefix: '/open', auth: 'none' }),
    ],
  })
})
afterEach(async () => {
  await proxy.stop()
  await upstream.stop()
})

interface Outcome {
  readonly status: number | undefined
  readonly isWhole: boolean
  readonly milliseconds: number
}

/** Opens an answer, ends the session once the upstream has the request and the head is there, if any comes. */
async function endDuring(
  path: string,
  options: { method?: string; body?: string; length?: number; waitsForHead: boolean; headers?: object },
): Promise<Outcome> {
  const arrived = upstream.next()
  const answer = Promise.withResolvers<IncomingMessage | Error>()
  const request = sendRequest({
    host: '127.0.0.1',
    port: proxy.port,
    path,
    method: options.method ?? 'GET',
    agent: false,
    headers: {
      ...ownFetch,
      ...options.headers,
      ...(options.length !== undefined && { 'content-length': options.length }),
    },
  })
  request.once('response', answer.resolve).once('error', answer.resolve)
  if (options.body !== undefined) request.write(options.body)
  if (options.length === undefined) request.end()
  else request.flushHeaders()
  await arrived
  if (options.waitsForHead) await answer.promise
  const startedAt = Date.now()
  proxy.sessions.end()
  const given = await answer.promise
  if (given instanceof Error)
    return { status: undefined, isWhole: false, milliseconds: Date.now() - startedAt }
  await new Promise((resolve) =>
    given
      .resume()
      .once('close', resolve)
      .once('error', () => undefined),
  )
  return { status: given.statusCode, isWhole: given.complete, milliseconds: Date.now() - startedAt }
}

describe('an answer that is open when its session ends', () => {
  it.each([
    ['a stream of lines', 'application/x-ndjson', {}],
    ['a download', 'application/octet-stream', { 'content-length': '1000000' }],
    ['a page', 'text/html', {}],
    ['a stream without a type', '', {}],
  ])('is cut within a second: %s', async (_what, type, headers) => {
    for (const prefix of ['/api', '/maybe']) {
      upstream.on('/x', (response) => {
        response.writeHead(200, { ...(type !== '' && { 'content-type': type }), ...headers }).write('begin')
      })
      const { view } = proxy.sessions
      const outcome = await endDuring(`${prefix}/x`, { waitsForHead: true })
      expect(outcome).toMatchObject({ status: 200, isWhole: false })
      expect(outcome.milliseconds).toBeLessThan(1_000)
      await upstream.requests.at(-1)?.aborted
      proxy.sessions.view = view
    }
  })

  it('ends in order within a second when it is an event stream', async () => {
    upstream.on('/x', (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    })
    const outcome = await endDuring('/api/x', { waitsForHead: true })
    expect(outcome).toMatchObject({ status: 200, isWhole: true })
    expect(outcome.milliseconds).toBeLessThan(1_000)
  })

  it.each([
    ['a request that waits', {}],
    ['a DELETE that waits', { method: 'DELETE' }],
    ['an upload that is on its way', { method: 'POST', body: 'begin', length: 100 }],
  ])('is 401 within a second while it has no head: %s', async (_what, options) => {
    upstream.on('/x', () => undefined)
    const outcome = await endDuring('/api/x', { ...options, waitsForHead: false })
    expect(outcome.status).toBe(401)
    expect(outcome.milliseconds).toBeLessThan(1_000)
    await upstream.requests[0]?.aborted
  })

  it('goes on when it has no session: on open routes, and for anonymous callers of optional ones', async () => {
    upstream.on('/x', (response) => {
      response.writeHead(200).write('begin')
      setTimeout(() => response.end('end'), 1_200)
    })
    const answers = await Promise.all([
      endDuring('/open/x', { waitsForHead: true, headers: { cookie } }),
      endDuring('/maybe/x', { waitsForHead: true, headers: { cookie: '' } }),
    ])
    expect(answers.map(({ isWhole }) => isWhole)).toEqual([true, true])
  })

  it('is found although its session was looked up before the end was heard', async () => {
    upstream.on('/x', (response) => void response.writeHead(200).write('begin'))
    const { view } = proxy.sessions
    const lookup = Promise.withResolvers<typeof view>()
    proxy.sessions.find = () => lookup.promise
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      sendRequest({ host: '127.0.0.1', port: proxy.port, path: '/api/x', headers: ownFetch, agent: false })
        .once('response', resolve)
        .once('error', reject)
        .end()
    })
    // The end is heard first, and what was read before it arrives afterwards.
    await new Promise((resolve) => setTimeout(resolve, 50))
    proxy.sessions.end()
    await new Promise((resolve) => setTimeout(resolve, 500))
    lookup.resolve(view)
    Reflect.deleteProperty(proxy.sessions, 'find')
    const startedAt = Date.now()
    const given = await answer
    await new Promise((resolve) =>
      given
        .resume()
        .once('close', resolve)
        .once('error', () => undefined),
    )
    // Cut, or refused when its head had not been written yet.
    expect([given.statusCode, given.complete]).toEqual(given.statusCode === 401 ? [401, true] : [200, false])
    expect(Date.now() - startedAt).toBeLessThan(1_000)
  })
})
