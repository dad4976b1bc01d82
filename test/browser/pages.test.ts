import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium } from '../support/browser/chromium.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

const own = `<!doctype html><html lang="{{lang}}"><title>{{confirmLogoutTitle}}</title><style>h1{color:rgb(1, 2, 3)}</style>
<h1>Own page</h1><form method="post" action="{{action}}"><input type="hidden" name="proof" value="{{proof}}"><button>Leave</button></form></html>`

let folder = ''
let world: World
let chromium: Browser
let context: BrowserContext | undefined
let findFaintText = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-pages-'))
  await writeFile(join(folder, 'confirm-logout.html'), own)
  world = await startWorld({ scheme: 'http', settings: { PAGES_DIR: folder } })
  chromium = await launchChromium()
  findFaintText = await readFile(new URL('faint-text.js', import.meta.url), 'utf8')
})
afterEach(() => context?.close())
afterAll(async () => {
  await chromium?.close()
  await world?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function open(path: string, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
  context = await chromium.newContext({ baseURL: world.baseUrl.origin, colorScheme })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  await page.goto(path)
  return page
}

describe('the pages of the gateway in Chromium', () => {
  it.each(['light', 'dark'] as const)('can be read, and used by keyboard (%s)', async (colorScheme) => {
    const page = await open('/callback?state=unknown', colorScheme)
    expect(await page.evaluate(findFaintText)).toEqual([])
    expect(await page.evaluate('document.documentElement.lang')).toBe('en')
    expect(await page.title()).toBe(await page.getByRole('heading', { level: 1 }).innerText())
    expect(await page.getByRole('main').count()).toBe(1)
    // The policy lets the style sheet through: without it the page would have no margin of its own.
    expect(await page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth")).not.toBe('none')
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Open the app')
  })

  it("show the operator's own in their place, styled, and its form signs out", async () => {
    const page = await open('/login?returnTo=/welcome')
    await page.goto('/logout?returnTo=/goodbye')
    expect(await page.evaluate("getComputedStyle(document.querySelector('h1')).color")).toBe('rgb(1, 2, 3)')
    await page.getByRole('button', { name: 'Leave' }).click()
    await page.waitForURL('**/goodbye')
    expect(await page.context().cookies(world.baseUrl.origin)).toEqual([])
  })
})
