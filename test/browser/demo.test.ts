import { readFileSync } from 'node:fs'
import type { Browser, BrowserContext, Page, Response } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Demo, startDemo } from '../../demo/demo.ts'
import { launchChromium } from '../support/browser/chromium.ts'

/** A script for the page: the tests are compiled without the DOM. */
const findFaintText = readFileSync(new URL('faint-text.js', import.meta.url), 'utf8')

let browser: Browser
let demo: Demo
let context: BrowserContext
let page: Page
let complaints: string[]

beforeAll(async () => {
  browser = await launchChromium()
  demo = await startDemo({ preferredPort: 0, logLevel: 'silent' })
})

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
})

beforeEach(async () => {
  complaints = []
  context = await browser.newContext()
  page = await context.newPage()
  page.setDefaultTimeout(10_000)
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
})

afterEach(async () => {
  await context.close()
  demo.provider.knobs.accessTokenTtlSeconds = 90
  demo.api.demand.isProofDemanded = false
})

async function signIn(name: string): Promise<void> {
  await page.goto(demo.url)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('button', { name }).click()
  await page.getByRole('heading', { name, level: 2 }).waitFor()
}

const answer = () => page.getByRole('region', { name: 'Answer of the API' })
const press = (name: string) => page.getByRole('button', { name, exact: true }).click()

describe('the demo', () => {
  it('says that a session is bound to this device where it is', async () => {
    await signIn('Ada Okafor')
    const words = page.getByText('This session is bound to this device')
    expect(await words.isVisible()).toBe(false)
    const session = await page.evaluate<object>("fetch('/session').then((answer) => answer.json())")
    await page.route('**/session', (route) => route.fulfill({ json: { ...session, device: 'bound' } }))
    await page.reload()
    await words.waitFor()
  })

  it('signs in with one click and leaves the page with nothing to steal', async () => {
    const bodies: Promise<string>[] = []
    page.on('response', (response: Response) => {
      if (response.url().startsWith(demo.url) && response.status() === 200)
        bodies.push(response.text().catch(() => ''))
    })
    await signIn('Ada Okafor')
    await page.getByText('No token anywhere.').waitFor()
    await press('Who am I?')
    await answer().getByText('200', { exact: true }).waitFor()
    expect((await Promise.all(bodies)).join('\n')).not.toMatch(/eyJ[\w-]{8,}\./)
    const cookies = await context.cookies(demo.url)
    expect(cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite }))).toEqual([
      { name: expect.stringMatching(/^coatcheck-cloakroom/), httpOnly: true, sameSite: 'Strict' },
    ])
    expect(complaints).toEqual([])
  })

  it('lets the API say who calls: the token arrived, the cookie did not', async () => {
    await signIn('Ben Lindqvist')
    await press('Who am I?')
    await answer().getByText('"user": "demo|ben"').waitFor()
    const text = await answer().innerText()
    expect(text).toContain('"cookie": "none"')
    expect(text).toContain('"permissions": ["read:coats"]')
  })

  it('shows the 403 of the API to whoever lacks the permission, and the session goes on', async () => {
    await signIn('Ben Lindqvist')
    await press('The inventory')
    await answer().getByText('403', { exact: true }).waitFor()
    await answer().getByText('read:inventory').waitFor()
    await press('My coats')
    await answer().getByText('Yellow raincoat').waitFor()
  })

  it('gives whoever has the permission the inventory', async () => {
    await signIn('Ada Okafor')
    await press('The inventory')
    await answer().getByText('Velvet cape').waitFor()
  })

  it('refreshes the access token while the page knows nothing of it', async () => {
    demo.provider.knobs.accessTokenTtlSeconds = 11
    await signIn('Ada Okafor')
    const refreshes = () =>
      demo.provider.requests.filter(({ grantType }) => grantType === 'refresh_token').length
    const before = refreshes()
    // Usable until 10 s before its end, so a call a good second after the login finds it due.
    await expect
      .poll(
        async () => {
          await press('My coats')
          await answer().getByText('200', { exact: true }).waitFor()
          return refreshes()
        },
        { timeout: 10_000, interval: 500 },
      )
      .toBeGreaterThan(before)
  })

  it('counts down, and staying signed in winds the idle clock up again', async () => {
    await signIn('Ada Okafor')
    const idle = page.locator('[data-idle]')
    await expect.poll(() => idle.innerText(), { timeout: 10_000 }).toMatch(/^14:5[0-7]$/)
    await press('Stay signed in')
    await expect.poll(() => idle.innerText(), { timeout: 5_000 }).toMatch(/^(15:00|14:5[89])$/)
  })

  it('shows that a copied token is refused once the API demands proof, and the page goes on', async () => {
    await signIn('Ada Okafor')
    const copy = page.getByRole('region', { name: 'What the copy is worth' })
    await press('Use a copy of the token')
    await copy.getByText('Good for demo|ada, whoever sends it.').waitFor()
    await copy.getByText('the proof is for another request').waitFor()
    await page.getByRole('switch', { name: 'The API demands proof', checked: false }).click()
    await copy.getByText('nothing proves that its key is there').waitFor()
    expect(await copy.locator('.status').allInnerTexts()).toEqual(['401', '401'])
    expect(await copy.innerText()).not.toMatch(/eyJ/)
    await press('Who am I?')
    await answer().getByText('"that the sender has its key"').waitFor()
    await page.reload()
    await page.getByRole('switch', { name: 'The API demands proof', checked: true }).waitFor()
    await press('Listen')
    await page.getByRole('log').getByText('A coat came in').waitFor()
    expect(complaints).toEqual([])
  })

  it('streams events, and the stream and the view end when the provider ends the session', async () => {
    await signIn('Ada Okafor')
    await press('Listen')
    await page.getByRole('log').getByText('A coat came in').waitFor()
    const [popup] = await Promise.all([
      context.waitForEvent('page'),
      page.getByRole('link', { name: 'End it at the provider' }).click(),
    ])
    await popup.getByText('You are signed out.').waitFor()
    await page.locator('#main').getByText('Your session has ended.').waitFor()
    expect(await page.evaluate('document.activeElement?.id')).toBe('main')
  })

  it('explains the opaque token at a gateway that asks for no audience, and makes no session', async () => {
    await signIn('Ada Okafor')
    await page.getByRole('link', { name: 'Log in without an audience' }).click()
    const failed = page.waitForResponse(
      (response) => response.url().includes('/callback') && response.status() === 502,
    )
    await page.getByRole('link', { name: 'Sign in without an audience' }).click()
    await failed
    await expect.poll(() => page.locator('body').innerText()).toMatch(/audience/i)
    await page.getByRole('link', { name: /open the app/i }).click()
    await page.getByRole('link', { name: 'Back to the demo' }).click()
    await page.getByRole('heading', { name: 'Ada Okafor' }).waitFor()
  })

  it('signs out here and at the provider', async () => {
    await signIn('Ada Okafor')
    await press('Sign out')
    await page.getByRole('heading', { name: /keep a ticket/ }).waitFor()
    expect(await context.cookies(demo.url)).toEqual([])
    await press('Sign in')
    await page.getByText('Who are you today?').waitFor()
  })

  it('can be used by keyboard alone', async () => {
    await page.goto(demo.url)
    await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor()
    await tabTo('Sign in')
    await page.keyboard.press('Enter')
    await page.getByText('Who are you today?').waitFor()
    await tabTo('Ben Lindqvist')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Ben Lindqvist' }).waitFor()
    await tabTo('The inventory')
    await page.keyboard.press('Space')
    await expect.poll(() => page.getByRole('status').innerText()).toContain('403')
  })

  it.each([320, 390, 768, 1280])('fits a window %d pixels wide', async (width) => {
    await page.setViewportSize({ width, height: 800 })
    await signIn('Ada Okafor')
    await press('Who am I?')
    await answer().getByText('200', { exact: true }).waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
  })

  it.each(['light', 'dark'] as const)('has enough contrast in all its text (%s)', async (colorScheme) => {
    await page.emulateMedia({ colorScheme })
    await signIn('Ada Okafor')
    await press('The inventory')
    await answer().getByText('200', { exact: true }).waitFor()
    await page.getByRole('switch').click()
    const copy = page.getByRole('region', { name: 'What the copy is worth' })
    await copy.getByText('nothing proves that its key is there').waitFor()
    expect(await page.evaluate(findFaintText)).toEqual([])
  })
})

async function tabTo(name: string): Promise<void> {
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press('Tab')
    const focused = await page.evaluate<string>(`document.activeElement?.textContent ?? ''`)
    if (focused.includes(name)) return
  }
  throw new Error(`${name} cannot be reached by the Tab key`)
}
