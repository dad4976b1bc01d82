import { readFile } from 'node:fs/promises'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchChromium } from '../support/browser/chromium.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { startTlsFront, type TlsFront } from '../support/fronts/tls-front.ts'
import { alice, testClient } from '../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

/** What a page sees of an answer. */
interface Seen {
  readonly status: number
  readonly body: Record<string, unknown>
}

// Behind TLS the cookies have their prefixes, which only a real browser enforces; on loopback they are as in development.
describe.each(['https', 'http'] as const)('the main job in Chromium, BASE_URL with %s', (scheme) => {
  let world: World
  let certificates: Certificates
  let front: TlsFront
  let chromium: Browser
  let context: BrowserContext
  let page: Page

  beforeAll(async () => {
    world = await startWorld({ scheme })
    certificates = await makeCertificates('DNS:app.example.test')
    front = await startTlsFront(world.gateways[0]?.port ?? 0, {
      cert: await readFile(certificates.certificateFile),
      key: await readFile(certificates.keyFile),
    })
    chromium = await launchChromium([
      `--host-resolver-rules=MAP app.example.test:443 127.0.0.1:${front.port}`,
    ])
  })
  afterAll(async () => {
    await chromium?.close()
    await front?.stop()
    await certificates?.remove()
    await world?.stop()
  })
  beforeEach(async () => {
    context = await chromium.newContext({ ignoreHTTPSErrors: true, baseURL: world.baseUrl.origin })
    page = await context.newPage()
    page.setDefaultTimeout(10_000)
  })
  afterEach(() => context.close())

  const signIn = async (): Promise<void> => {
    await page.goto('/login?returnTo=/welcome')
    expect(new URL(page.url()).pathname).toBe('/welcome')
  }
  const sessionCookie = async () =>
    (await context.cookies(world.baseUrl.origin)).find(({ name }) => name === world.sessionCookieName)
  // Text instead of functions: the tests are compiled without the DOM.
  const fetchInPage = (path: string, init = '{}'): Promise<Seen> =>
    page.evaluate(
      `fetch(${JSON.stringify(path)}, ${init}).then(async (answer) => ({ status: answer.status, body: await answer.json() }))`,
    )

  test('a page signs in and calls the API without ever holding a token', async () => {
    await signIn()
    expect(await fetchInPage('/api/orders')).toMatchObject({ status: 200, body: { sub: alice.id } })
    expect(await fetchInPage('/api/orders', "{ method: 'POST', body: 'x' }")).toMatchObject({
      status: 200,
      body: { method: 'POST', body: 'x' },
    })
    expect(await page.evaluate('document.cookie')).toBe('')
    expect(await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])')).toBe(
      '[{},{}]',
    )
    const session = await fetchInPage('/session')
    expect(session.body).toMatchObject({ authenticated: true, user: { sub: alice.id } })
    expect(JSON.stringify(session)).not.toMatch(/eyJ|token/i)
  })

  test('the browser takes the session cookie with all its protection', async () => {
    await signIn()
    expect(await sessionCookie()).toMatchObject({
      httpOnly: true,
      secure: scheme === 'https',
      sameSite: 'Strict',
      path: '/',
      domain: world.baseUrl.hostname,
      expires: -1,
    })
  })

  test('an EventSource of the page receives events', async () => {
    await signIn()
    const first = await page.evaluate(
      "new Promise((resolve, reject) => { const source = new EventSource('/api/events'); source.onmessage = (event) => { source.close(); resolve(event.data) }; source.onerror = reject })",
    )
    expect(first).toBe('hello')
  })

  test('signing out by the form ends the session and comes back to the application', async () => {
    await signIn()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL('**/goodbye')
    expect(await sessionCookie()).toBeUndefined()
    expect(await fetchInPage('/session')).toMatchObject({ body: { authenticated: false } })
    expect((await fetchInPage('/api/orders')).status).toBe(401)
  })

  test('a page of another site can neither call the API nor sign the user out', async () => {
    await signIn()
    await page.goto(`${world.provider.issuer}nothing-here`)
    const outcome = await page.evaluate(
      `fetch(${JSON.stringify(`${world.baseUrl.origin}/api/orders`)}, { credentials: 'include' }).then((answer) => answer.status, () => 'refused')`,
    )
    expect(outcome).toBe('refused')
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url() === `${world.baseUrl.origin}/logout`),
      page.evaluate(
        `{ const form = document.createElement('form'); form.method = 'post'; form.action = ${JSON.stringify(`${world.baseUrl.origin}/logout`)}; document.body.append(form); form.submit() }`,
      ),
    ])
    expect(answer.status()).toBe(403)
    await page.waitForURL(`${world.baseUrl.origin}/logout`)
    await page.goto('/welcome')
    expect((await fetchInPage('/api/orders')).status).toBe(200)
  })

  test('signing out at the provider ends the session of the page', async () => {
    await signIn()
    const other = await context.newPage()
    await other.goto(`${world.provider.issuer}oidc/logout?client_id=${testClient.id}`)
    expect((await fetchInPage('/api/orders')).status).toBe(401)
  })

  test('a link of another site that leads to sign-out only asks', async () => {
    await signIn()
    await page.goto(`${world.provider.issuer}nothing-here`)
    await page.evaluate(
      `location.href = ${JSON.stringify(`${world.baseUrl.origin}/logout?returnTo=/goodbye`)}`,
    )
    await page.waitForURL(`${world.baseUrl.origin}/logout**`)
    expect(await sessionCookie()).toBeDefined()
    await page.getByRole('button').first().click()
    await page.waitForURL('**/goodbye')
    expect(await sessionCookie()).toBeUndefined()
  })
})
