import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream } from '../support/api/upstream.ts'
import { launchChromium } from '../support/browser/chromium.ts'
import {
  type Canary,
  type RoutedGateway,
  startCanary,
  startRoutedGateway,
} from '../support/gateway/routed-gateway.ts'

let api: Upstream
let folder: string
let gateway: RoutedGateway
let canary: Canary
let chromium: Browser
let page: Page

beforeAll(async () => {
  ;[api, canary, chromium, folder] = await Promise.all([
    startUpstream(),
    startCanary(),
    launchChromium(),
    mkdtemp(join(tmpdir(), 'coatcheck-origin-')),
  ])
  const routes = [
    { prefix: '/api', upstream: api.origin },
    { prefix: '/pages', upstream: api.origin, activeContent: true },
  ]
  await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes }))
  gateway = await startRoutedGateway({ ROUTES_FILE: join(folder, 'routes.json') })
})
afterAll(async () => {
  await chromium?.close()
  await gateway?.stop()
  await Promise.all([api?.stop(), canary?.stop(), rm(folder, { recursive: true })])
})
beforeEach(async () => {
  const context = await chromium.newContext({ baseURL: gateway.origin })
  const [name = '', value = ''] = gateway.cookie.split('=')
  await context.addCookies([{ name, value, url: gateway.origin, httpOnly: true, sameSite: 'Strict' }])
  page = await context.newPage()
  return () => context.close()
})

/** Reads the session as the user whose browser it runs in, and says so in its title. */
const script =
  "<!doctype html><title>quiet</title><script>document.title = 'ran'; fetch('/session').then((answer) => answer.json()).then(({ authenticated }) => { document.title = 'read ' + authenticated })</script>"

/** The same for readers of XML. */
const xmlScript =
  '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>quiet</title></head><body><script>document.title = "ran"</script></body></html>'

/** Everything that a header can do to an origin without a script. */
const headersForTheOrigin = () => ({
  nel: '{"report_to":"away","max_age":86400,"include_subdomains":true,"success_fraction":1}',
  'report-to': `{"group":"away","max_age":86400,"endpoints":[{"url":"http://${canary.host}/"}]}`,
  'reporting-endpoints': `away="http://${canary.host}/"`,
  'secure-session-registration': '(ES256);path="/api/registered";challenge="x"',
  'sec-session-registration': '(ES256);path="/api/registered";challenge="x"',
  'set-login': 'logged-out',
  'accept-ch': 'Sec-CH-UA-Model',
  'critical-ch': 'Sec-CH-UA-Model',
  'use-as-dictionary': 'match="/*"',
  'speculation-rules': '"/api/rules"',
  'origin-trial': 'x',
  'x-accel-redirect': '/secret',
})

const answers =
  (headers: Record<string, string>, body = script) =>
  (response: ServerResponse) => {
    response.writeHead(200, headers).end(body)
  }

/** The page's title once all that it began has been answered. Our own page leads there, as the guard wants it. */
async function titleOf(path: string): Promise<string> {
  await page.goto('/welcome')
  const arrived = page.waitForResponse((response) => response.url().endsWith(path))
  await page.evaluate(`void location.assign(${JSON.stringify(path)})`)
  expect((await arrived).status()).toBe(200)
  await page.waitForLoadState('networkidle')
  return page.title()
}

describe('an API that speaks as our origin, in Chromium', () => {
  it.each([
    'text/html(x)',
    'text/html(',
    'image/svg+xml(x)',
    'text/xml(x)',
    'text/plain, text/html(',
    'text/html',
  ])('runs no script by the type %s', async (type) => {
    api.on('/typed', answers({ 'content-type': type }, /xml/.test(type) ? xmlScript : script))
    expect(await titleOf('/api/typed')).not.toMatch(/ran|read/)
  })

  it.each(['img-src *', "script-src 'unsafe-inline'", 'sandbox allow-scripts allow-same-origin'])(
    'runs no script by a policy of its own: %s',
    async (policy) => {
      api.on('/own-policy', answers({ 'content-type': 'text/html', 'content-security-policy': policy }))
      expect(await titleOf('/api/own-policy')).toBe('quiet')
    },
  )

  it('runs its script where the route says that it may', async () => {
    api.on('/active', answers({ 'content-type': 'text/html' }))
    expect(await titleOf('/pages/active')).toBe('read true')
  })

  it('moves no page by a header, registers no session, and reports nothing', async () => {
    const headers = headersForTheOrigin()
    const refresh = `0; url=http://${canary.host}/`
    api.on('/headers', answers({ 'content-type': 'text/html', refresh, ...headers }, '<title>quiet</title>'))
    for (const prefix of ['/api', '/pages']) {
      const answer = page.waitForResponse((response) => response.url().endsWith('/headers'))
      expect(await titleOf(`${prefix}/headers`)).toBe('quiet')
      const seen = Object.keys(await (await answer).allHeaders())
      expect(seen.filter((name) => name === 'refresh' || Object.hasOwn(headers, name))).toEqual([])
      expect(new URL(page.url()).pathname).toBe(`${prefix}/headers`)
      // The next address is one that a report would have held.
      await page.goto('/callback?code=secret&state=x')
    }
    expect(canary.hits()).toBe(0)
    expect(api.requests.filter(({ target }) => target.includes('registered'))).toEqual([])
    expect(api.requests.filter(({ target }) => target.includes('rules'))).toEqual([])
    await page.goto('/welcome')
    const session = await page.evaluate("fetch('/session').then((answer) => answer.json())")
    expect(session).toMatchObject({ authenticated: true })
  })

  it('would do what it is kept from at an origin of its own', async () => {
    api.on('/own-policy', answers({ 'content-type': 'text/html(x)', 'content-security-policy': 'img-src *' }))
    await page.goto(`${api.origin}/own-policy`)
    expect(await page.title()).toMatch(/^(?:ran|read)/)
    api.on('/refresh', answers({ 'content-type': 'text/html', refresh: `0; url=${api.origin}/moved` }, ''))
    api.on('/moved', answers({ 'content-type': 'text/html' }, '<title>moved</title>'))
    await page.goto(`${api.origin}/refresh`)
    await page.waitForURL('**/moved')
  })
})
