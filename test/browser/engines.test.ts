import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Demo, startDemo } from '../../demo/demo.ts'
import { engines, titleOf } from '../support/browser/engines.ts'
import type { BrowserTab, DrivenBrowser } from '../support/browser/tab.ts'

/** Starting it takes its time on a busy machine, milliseconds. */
const patienceMs = 120_000

let browser: DrivenBrowser
let demo: Demo
let sibling: Server

const session = (tab: BrowserTab) =>
  tab.evaluate<{ authenticated: boolean }>("fetch('/session').then((answer) => answer.json())")

async function signedIn(): Promise<BrowserTab> {
  const tab = await browser.openTab()
  await tab.goto(demo.url)
  await tab.until("document.querySelector('#main[aria-busy]') === null")
  if ((await session(tab)).authenticated) return tab
  await tab.evaluate("void (location.href = '/login')")
  // The app's own page has cards of the same names.
  await tab.until("document.title.includes('Demo Identity')")
  await tab.click('Ada Okafor')
  await tab.until("document.querySelector('#who')?.textContent.includes('Ada Okafor')")
  return tab
}

describe.each(engines)('$name', (engine) => {
  describe.skipIf(engine.isLeftOut)(titleOf(engine), () => {
    beforeAll(async () => {
      demo = await startDemo({ preferredPort: 0, logLevel: 'silent' })
      // Another port of the same host is another origin of the same site: it sends our cookies.
      sibling = createServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Sibling</title>')
      }).listen(0, 'localhost')
      await once(sibling, 'listening')
      browser = await engine.launch()
    }, patienceMs)
    afterAll(async () => {
      await browser?.close()
      await demo?.stop()
      sibling?.close()
    })

    it(
      'somebody signs in, calls the API, listens to a stream, and no script sees a token',
      async () => {
        const tab = await signedIn()
        const me = await tab.evaluate<{ status: number }>(
          "fetch('/api/me').then(({ status }) => ({ status }))",
        )
        expect(me.status).toBe(200)
        const first = await tab.evaluate<string>(
          "new Promise((resolve) => { const source = new EventSource('/api/bell'); source.onmessage = ({ data }) => { source.close(); resolve(data) } })",
        )
        expect(JSON.parse(first)).toHaveProperty('text')
        const seen = await tab.evaluate<string>(
          '[document.cookie, JSON.stringify({ ...localStorage, ...sessionStorage })].join()',
        )
        expect(seen).not.toMatch(/eyJ|coatcheck/)
      },
      patienceMs,
    )

    it(
      'a sibling cannot sign anybody out, read the session, or call the API',
      async () => {
        const tab = await signedIn()
        const foreign = await browser.openTab()
        await foreign.goto(`http://localhost:${(sibling.address() as AddressInfo).port}/`)
        const attempt = (path: string, init: string): Promise<string> =>
          foreign.evaluate(
            `fetch('${demo.url}${path}', { credentials: 'include', ${init} }).then(({ type, status }) => type + status, () => 'failed')`,
          )
        expect(await attempt('/logout', "method: 'POST', mode: 'no-cors'")).toBe('opaque0')
        expect(await attempt('/session', '')).toBe('failed')
        expect(await attempt('/api/me', "headers: { 'X-CSRF': '1' }")).toBe('failed')
        expect((await session(tab)).authenticated).toBe(true)
      },
      patienceMs,
    )

    it(
      'a sign-out in one tab is seen in the other, and ends its stream',
      async () => {
        const [one, other] = [await signedIn(), await signedIn()]
        await other.evaluate(
          "void import('/client.js').then(({ createCoatcheck }) => createCoatcheck().openEventSource('/api/bell', (source) => { globalThis.source = source }))",
        )
        await other.until('globalThis.source?.readyState === 1')
        await one.click('Sign out')
        await one.until("document.querySelector('[data-people]')")
        await other.until("document.body.textContent.includes('Your session has ended')")
        await other.until('globalThis.source.readyState === 2')
        expect((await session(other)).authenticated).toBe(false)
      },
      patienceMs,
    )
  })
})
