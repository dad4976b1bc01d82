import { afterEach, beforeEach, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { startUpstream, type Upstream, valuesOf } from '../../support/api/upstream.ts'
import { baseUrl, cookie, ownFetch, routeTo, send, startProxy, type TestProxy } from '../support/harness.ts'

let api: Upstream
let devServer: Upstream
let proxy: TestProxy

beforeEach(async () => {
  api = await startUpstream()
  devServer = await startUpstream()
  proxy = await startProxy({ routes: [routeTo(api.origin)], spaUrl: new URL(devServer.origin) })
})

afterEach(async () => {
  await proxy.stop()
  await api.stop()
  await devServer.stop()
})

it('the development server gets every other path, without session, token and our cookies', async () => {
  const headers = { cookie: `${cookie}; theme=dark`, authorization: 'Bearer own' }
  for (const target of ['/', '/src/main.tsx?t=1', '/@vite/client', '/deep/link']) {
    expect((await send(proxy.port, target, { headers })).status).toBe(200)
    const request = devServer.requests.at(-1)!
    expect(request.target).toBe(target)
    expect([valuesOf(request, 'cookie'), valuesOf(request, 'authorization')]).toEqual([['theme=dark'], []])
    expect(valuesOf(request, 'x-forwarded-prefix')).toEqual([])
  }
  expect(proxy.sessions.lookups).toBe(0)
})

it('a service worker of the app may be loaded, one of an API may not', async () => {
  const headers = { ...ownFetch, 'service-worker': 'script' }
  expect((await send(proxy.port, '/worker.js', { headers })).status).toBe(200)
  expect((await send(proxy.port, '/api/worker.js', { headers })).status).toBe(400)
})

it('the API stays where it is', async () => {
  expect((await send(proxy.port, '/api/x')).status).toBe(200)
  expect((await send(proxy.port, '/%61pi/x')).status).toBe(400)
  expect([api.requests.length, devServer.requests.length]).toEqual([1, 0])
})

it('pages of the development server get the headers of the app’s pages, and run their scripts', async () => {
  devServer.on(
    '/',
    (response) =>
      void response.writeHead(200, { 'content-type': 'text/html' }).end('<script src="/x.js"></script>'),
  )
  const answer = await send(proxy.port, '/', { headers: {} })
  expect(answer.headers['content-security-policy']).toBe(
    "object-src 'none'; base-uri 'self'; frame-ancestors 'none'",
  )
  expect(answer.headers['referrer-policy']).toBe('same-origin')
})

it('hot reload works: its WebSocket is bridged, its subprotocol kept', async () => {
  devServer.onWebSocket((socket) => socket.send('{"type":"connected"}'), 'vite-hmr')
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/?token=x`, ['vite-hmr'], {
    headers: { cookie, origin: baseUrl.origin },
  })
  const message = await new Promise((resolve, reject) =>
    socket.once('message', (data) => resolve(String(data))).once('error', reject),
  )
  expect(message).toBe('{"type":"connected"}')
  expect(valuesOf(devServer.requests[0]!, 'cookie')).toEqual([])
  socket.terminate()
})

it('a development server that is down is 502', async () => {
  await devServer.stop()
  expect((await send(proxy.port, '/', { headers: {} })).status).toBe(502)
})
