import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Demo, startDemo } from '../../demo/demo.ts'
import { type Dev, startDev } from '../../src/dev/dev.ts'
import { choosePort } from '../../src/dev/ports.ts'
import { errorCodes } from '../../src/errors/codes.ts'
import { GatewayError } from '../../src/errors/gateway-error.ts'
import { toProblemDocument } from '../../src/errors/problem.ts'
import { createPages } from '../../src/http/answers/pages.ts'
import { launchChromium } from '../support/browser/chromium.ts'

let browser: Browser
let demo: Demo
let dev: Dev
let axe: string
beforeAll(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  browser = await launchChromium()
  demo = await startDemo({ preferredPort: 0, logLevel: 'silent' })
  dev = await startDev({ LOG_LEVEL: 'silent' }, { port: await choosePort(0) })
})
afterAll(async () => {
  await browser?.close()
  await dev?.stop()
  await demo?.stop()
})

/** What axe finds, as one line each; text, because the tests are compiled without the DOM. */
async function findings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe)
  return page.evaluate(
    "axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) => id + ' (' + impact + '): ' + nodes.map(({ target }) => target).join(', ')))",
  )
}

const looks = [
  ['light, wide', { colorScheme: 'light', viewport: { width: 1_280, height: 900 } }],
  ['dark, narrow', { colorScheme: 'dark', viewport: { width: 360, height: 740 } }],
] as const

/** Pages by what they are, and how to get there. */
const pages: readonly (readonly [string, (page: Page) => Promise<unknown>])[] = [
  [
    'the demo, signed out',
    async (page) => {
      await page.goto(demo.url)
      await page.getByRole('heading', { name: /keep a ticket/ }).waitFor()
    },
  ],
  [
    'the demo, signed in',
    async (page) => {
      await page.goto(`${demo.url}/login`)
      await page.getByRole('button', { name: 'Ada Okafor' }).click()
      await page.getByRole('heading', { name: 'Ada Okafor', level: 2 }).waitFor()
      await page.getByRole('button', { name: 'Listen' }).click()
      await page.locator('[data-events] li').first().waitFor()
      await page.getByRole('button', { name: 'My coats' }).click()
    },
  ],
  [
    'the demo without an audience',
    async (page) => {
      await page.goto(demo.withoutAudienceUrl)
      await page.getByRole('heading', { level: 1 }).waitFor()
    },
  ],
  ["the provider's sign-in", (page) => page.goto(`${demo.url}/login`)],
  [
    "the provider's sign-in, and what the gateway asked for",
    async (page) => {
      await page.goto(`${demo.url}/login`)
      await page.getByText('What the gateway asked for').click()
    },
  ],
  [
    "the provider's page for a request that it cannot answer",
    (page) => page.goto(`${dev.provider.issuer}authorize?client_id=nobody`),
  ],
  ['the buttons of coatcheck dev', (page) => page.goto(dev.controlUrl)],
  ["the gateway's question before a sign-out", (page) => page.goto(`${demo.url}/logout`)],
  ["the gateway's page for a refused request", (page) => page.goto(`${demo.url}/session`)],
  ["the gateway's page for a sign-in that failed", (page) => page.goto(`${demo.url}/callback?state=x`)],
  ["the gateway's page while the development server is down", (page) => page.goto(dev.config.baseUrl.href)],
]

const gatewayPages = createPages({ app: '/', login: '/login' })
const fields = [['state', 'x']] as const

/** Pages that are gone as soon as they are there, or that only one kind of set-up shows, as a browser without scripts has them. */
const rendered: readonly (readonly [string, string])[] = [
  ...errorCodes.map((code) => [code, problemPage(code)] as const),
  ['the form that is posted once more', gatewayPages.repost({ action: '/callback', fields })],
  ['the address that is asked for again', gatewayPages.again('https://app.example.test/x')],
]

function problemPage(code: (typeof errorCodes)[number]): string {
  return gatewayPages.problem(toProblemDocument(new GatewayError(code), 'request-1'), 'request-1')
}

const withoutScripts = (html: string): string =>
  html.replace(/<script\b.*?<\/script>/gs, '').replace(/<\/?noscript>/g, '')

describe.each(looks)('axe has nothing to say of any page of the gateway: %s', (_look, options) => {
  it('each problem, and each page that moves on by itself', async () => {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    const found: string[] = []
    for (const [what, html] of rendered) {
      await page.setContent(withoutScripts(html))
      found.push(...(await findings(page)).map((finding) => `${what}: ${finding}`))
    }
    expect(found).toEqual([])
    await context.close()
  })
})

describe.each(looks)('axe has nothing to say: %s', (_look, options) => {
  it.each(pages)('%s', async (_what, open) => {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    await open(page)
    // One of the pages loads itself again and again, perhaps just now.
    expect(await findings(page).catch(() => findings(page))).toEqual([])
    const folder = process.env.SCREENSHOTS
    if (folder !== undefined)
      await page.screenshot({ path: `${folder}/${_look} ${_what}.png`, fullPage: true })
    await context.close()
  })
})
