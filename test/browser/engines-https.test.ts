import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream, valuesOf } from '../support/api/upstream.ts'
import { engines, titleOf } from '../support/browser/engines.ts'
import type { BrowserTab, DrivenBrowser } from '../support/browser/tab.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { type NameProxy, startNameProxy } from '../support/fronts/name-proxy.ts'
import { startTlsFront, type TlsFront } from '../support/fronts/tls-front.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

/** Starting it takes its time on a busy machine, milliseconds. */
const patienceMs = 120_000
const siblingHost = 'sibling.example.test'
const siblingOrigin = `https://${siblingHost}`

let world: World
let upstream: Upstream
let certificates: Certificates
let front: TlsFront
let sibling: Server
let names: NameProxy

async function start(): Promise<void> {
  upstream = await startUpstream()
  upstream.on('/events', (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: hello\n\n')
  })
  upstream.onWebSocket((socket) => socket.on('message', (data) => socket.send(String(data))))
  world = await startWorld({ settings: { API_URL: upstream.origin } })
  const host = world.baseUrl.hostname
  certificates = await makeCertificates(`DNS:${host},DNS:${siblingHost}`)
  const identity = {
    cert: await readFile(certificates.certificateFile),
    key: await readFile(certificates.keyFile),
  }
  front = await startTlsFront(world.gateways[0]?.port ?? 0, identity)
  sibling = createServer(identity, ({ url }, response) => {
    // What a sibling that was taken over would try: our very cookie, for the whole domain.
    const planted = `${world.sessionCookieName}=planted; Domain=example.test; Path=/; Secure; HttpOnly`
    response.setHeader('set-cookie', url === '/plant' ? [planted] : [])
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Sibling</title>')
  })
  await new Promise<void>((resolve) => sibling.listen(0, '127.0.0.1', resolve))
  names = await startNameProxy({
    [`${host}:443`]: front.port,
    [`${siblingHost}:443`]: (sibling.address() as AddressInfo).port,
  })
}

describe.each(engines)('$name, over https', (engine) => {
  describe.skipIf(engine.isLeftOut)(titleOf(engine), () => {
    let browser: DrivenBrowser

    beforeAll(async () => {
      await start()
      browser = await engine.launch({ httpsProxy: names.address })
    }, patienceMs)
    afterAll(async () => {
      await browser?.close()
      await names?.stop()
      sibling?.closeAllConnections()
      sibling?.close()
      await front?.stop()
      await certificates?.remove()
      await world?.stop()
      await upstream?.stop()
    })

    const at = (path: string): string => `${world.baseUrl.origin}${path}`
    const status = (tab: BrowserTab, path: string, init = '{}') =>
      tab.evaluate<number>(`fetch('${path}', ${init}).then((answer) => answer.status)`)
    const session = (tab: BrowserTab) =>
      tab.evaluate<{ authenticated: boolean; detail?: string }>(
        "fetch('/session').then((answer) => answer.json())",
      )
    async function signedIn(): Promise<BrowserTab> {
      const tab = await browser.openTab()
      await tab.goto(at('/login?returnTo=/welcome'))
      await tab.until("location.pathname === '/welcome' && document.readyState === 'complete'")
      return tab
    }
    const leave = async (tab: BrowserTab): Promise<void> => {
      await tab.evaluate(
        "void (() => { const form = document.createElement('form'); form.method = 'post'; form.action = '/logout'; document.body.append(form); form.submit() })()",
      )
      await tab.until("location.pathname !== '/orders' && document.readyState === 'complete'")
    }

    it(
      'the prefixed cookies are taken, calls carry the token, and no script sees anything',
      async () => {
        const tab = await signedIn()
        const arrived = upstream.next()
        expect(await status(tab, '/api/orders', "{ method: 'POST', body: 'x' }")).toBe(200)
        expect(valuesOf(await arrived, 'authorization')).toEqual([expect.stringMatching(/^Bearer eyJ/)])
        expect(valuesOf(await arrived, 'cookie')).toEqual([])
        expect((await session(tab)).authenticated).toBe(true)
        expect(await tab.evaluate('document.cookie')).toBe('')
      },
      patienceMs,
    )

    it(
      'an event stream and a WebSocket of the page open, and end with the session in another tab',
      async () => {
        const [tab, other] = [await signedIn(), await signedIn()]
        await tab.evaluate(
          "void (globalThis.source = new EventSource('/api/events'), source.onmessage = ({ data }) => { globalThis.event = data })",
        )
        await tab.until("globalThis.event === 'hello'")
        await tab.evaluate(
          "void (globalThis.socket = new WebSocket('wss://' + location.host + '/api/socket'), socket.onopen = () => socket.send('ping'), socket.onmessage = ({ data }) => { globalThis.echo = data }, socket.onclose = ({ code }) => { globalThis.code = code })",
        )
        await tab.until("globalThis.echo === 'ping'")
        expect(
          await status(other, '/logout', "{ method: 'POST', headers: { accept: 'application/json' } }"),
        ).toBe(200)
        await tab.until('globalThis.code === 4401')
        expect(await status(tab, '/api/orders')).toBe(401)
        await tab.evaluate('source.close()')
      },
      patienceMs,
    )

    it(
      'a sibling host can neither call, nor listen, nor sign anybody out',
      async () => {
        const tab = await signedIn()
        const foreign = await browser.openTab()
        await foreign.goto(siblingOrigin)
        const before = upstream.requests.length
        const attempt = (path: string, init: string): Promise<string> =>
          foreign.evaluate(
            `fetch('${at(path)}', { credentials: 'include', ${init} }).then(({ type, status }) => type + status, () => 'failed')`,
          )
        expect(await attempt('/logout', "method: 'POST', mode: 'no-cors'")).toBe('opaque0')
        expect(await attempt('/session', '')).toBe('failed')
        expect(await attempt('/api/orders', "headers: { 'X-CSRF': '1' }")).toBe('failed')
        expect(await attempt('/api/orders', "method: 'POST', mode: 'no-cors', body: 'x'")).toBe('opaque0')
        const opened = await foreign.evaluate<string>(
          `new Promise((resolve) => { const socket = new WebSocket('${at('/api/socket').replace('https', 'wss')}'); socket.onopen = () => resolve('open'); socket.onerror = () => resolve('refused') })`,
        )
        expect(opened).toBe('refused')
        await foreign.evaluate(
          `void (() => { const form = document.createElement('form'); form.method = 'post'; form.action = '${at('/logout')}'; document.body.append(form); form.submit() })()`,
        )
        await foreign.until(
          `location.origin === '${world.baseUrl.origin}' && document.readyState === 'complete'`,
        )
        expect(upstream.requests.length).toBe(before)
        expect((await session(tab)).authenticated).toBe(true)
      },
      patienceMs,
    )

    it(
      'Back after a sign-out shows nothing of what the page showed, though the page does not know of us',
      async () => {
        const tab = await signedIn()
        await tab.goto(at('/orders'))
        await tab.evaluate("void document.body.append('secret data')")
        await leave(tab)
        await tab.evaluate('void history.back()')
        await tab.until("location.pathname === '/orders' && document.readyState === 'complete'")
        expect(await tab.evaluate('document.body.textContent')).not.toContain('secret data')
      },
      patienceMs,
    )

    it(
      'a cookie of our name that a sibling host plants takes nobody over: it is refused, or named',
      async () => {
        const tab = await signedIn()
        const foreign = await browser.openTab()
        await foreign.goto(`${siblingOrigin}/plant`)
        const seen = await session(tab)
        // WebKitGTK's cookie jar takes it in spite of its prefix.
        expect(seen.authenticated || seen.detail?.includes('two cookies named')).toBe(true)
        expect(await status(tab, '/api/orders')).toBe(seen.authenticated ? 200 : 401)
      },
      patienceMs,
    )
  })
})
