import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Demo, startDemo } from '../../demo/demo.ts'
import { launchChromium } from '../support/browser/chromium.ts'

let browser: Browser
let demo: Demo
let context: BrowserContext

beforeAll(async () => {
  browser = await launchChromium()
  demo = await startDemo({ preferredPort: 0, logLevel: 'silent' })
})
afterAll(async () => {
  await browser?.close()
  await demo?.stop()
})
beforeEach(async () => {
  context = await browser.newContext({ baseURL: demo.url })
  context.setDefaultTimeout(10_000)
})
afterEach(() => context.close())

async function openTab(): Promise<Page> {
  const tab = await context.newPage()
  await tab.goto('/')
  await tab.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' })
  return tab
}

async function signIn(tab: Page, name = 'Ada Okafor'): Promise<void> {
  await tab.getByRole('button', { name: 'Sign in', exact: true }).click()
  await tab.getByRole('button', { name }).click()
  await tab.getByRole('heading', { name, level: 2 }).waitFor()
}

/** Calls the helper in a page beside the demo's own; text, because the tests are compiled without the DOM. */
const inPage = <Result>(tab: Page, script: string): Promise<Result> =>
  tab.evaluate<Result>(
    `import('/client.js').then((client) => { globalThis.helper ??= client.createCoatcheck(); return (${script})(globalThis.helper) })`,
  )

/** Begins a login that nobody asked for, and does not wait for it. */
const beginLogin = (tab: Page): Promise<void> =>
  inPage(
    tab,
    '(helper) => { helper.login().then((session) => { globalThis.outcome = session.authenticated }, (error) => { globalThis.outcome = error.name }) }',
  )

const loginsOf = (tab: Page) => {
  const seen: string[] = []
  tab.on('request', (request) => {
    if (new URL(request.url()).pathname === '/login') seen.push(request.url())
  })
  return seen
}

const endedNotice = 'Your session has ended.'

describe('the browser helper in Chromium', () => {
  it('shows a sign-out in one tab within a second in the other', async () => {
    const [one, other] = [await openTab(), await openTab()]
    await signIn(one)
    await other.reload()
    await other.getByRole('heading', { name: 'Ada Okafor', level: 2 }).waitFor()
    // Both tabs look at one clock; what the test sees of them comes later.
    await one.evaluate("addEventListener('click', () => { localStorage.clickedAtMs = Date.now() }, true)")
    await other.evaluate(
      `new MutationObserver(() => { if (document.querySelector('#main').innerText.includes(${JSON.stringify(endedNotice)})) localStorage.shownAtMs ??= Date.now() }).observe(document, { subtree: true, childList: true })`,
    )
    await one.getByRole('button', { name: 'Sign out' }).click()
    await other.locator('#main').getByText(endedNotice).waitFor()
    const tookMs = await other.evaluate<number>('localStorage.shownAtMs - localStorage.clickedAtMs')
    expect(tookMs).toBeGreaterThan(0)
    expect(tookMs).toBeLessThan(1_000)
  })

  it('signs out by a form, and no script sees where that leads', async () => {
    const tab = await openTab()
    await signIn(tab)
    const fetched: string[] = []
    tab.on('request', (request) => {
      if (request.url().startsWith(`${demo.url}/logout`)) fetched.push(request.resourceType())
    })
    await tab.getByRole('button', { name: 'Sign out' }).click()
    await tab.getByRole('heading', { name: /keep a ticket/ }).waitFor()
    expect(new Set(fetched)).toEqual(new Set(['document']))
  })

  it('lets one tab of several go to the login page, and the others have its session afterwards', async () => {
    // Windows side by side: all are seen, and none is the one that a person turned to.
    await context.addInitScript('document.hasFocus = () => false')
    const tabs = [await openTab(), await openTab(), await openTab()]
    const logins = tabs.map(loginsOf)
    const leaving = Promise.race(
      tabs.map((tab, at) =>
        tab
          .getByText('Who are you today?')
          .waitFor()
          .then(() => at),
      ),
    )
    await Promise.all(tabs.map((tab) => beginLogin(tab).catch(() => undefined)))
    const leader = await leaving
    // Whoever got the lock has asked the gateway since, and stayed.
    const others = tabs.filter((_tab, at) => at !== leader)
    await Promise.all(others.map((tab) => inPage(tab, '(helper) => helper.getSession()')))
    expect(logins.flat()).toHaveLength(1)
    await tabs[leader]?.getByRole('button', { name: 'Ben Lindqvist' }).click()
    for (const tab of others) {
      await expect.poll(() => tab.evaluate('globalThis.outcome'), { timeout: 10_000 }).toBe(true)
    }
    expect(logins.flat()).toHaveLength(1)
  })

  it('ends the view of the first user when a second one signs in beside it', async () => {
    const [one, other] = [await openTab(), await openTab()]
    await signIn(one)
    // The provider forgets the first user; the gateway does not.
    await context.clearCookies({ name: /^(?!coatcheck)/ })
    await inPage(other, '(helper) => void helper.login({ byUser: true })').catch(() => undefined)
    await other.getByRole('button', { name: 'Ben Lindqvist' }).click()
    await other.getByRole('heading', { name: 'Ben Lindqvist', level: 2 }).waitFor()
    await one.locator('#main').getByText(endedNotice).waitFor()
  })

  it('repeats nothing, ends nothing and hides nothing when the API says 401 by itself', async () => {
    const tab = await openTab()
    await signIn(tab)
    await tab.route('**/api/own-401', (route) => route.fulfill({ status: 401, body: 'no' }))
    const answer = await inPage<{ status: number; body: string }>(
      tab,
      "async (helper) => { const answer = await helper.apiFetch('/api/own-401'); return { status: answer.status, body: await answer.text() } }",
    )
    expect(answer).toEqual({ status: 401, body: 'no' })
    expect(await tab.getByText(endedNotice).count()).toBe(0)
  })
})
