import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium } from '../support/browser/chromium.ts'
import { isFirefoxLeftOut, launchFirefox } from '../support/browser/firefox.ts'
import { type NodeCarrier, startNodeCarrier } from '../support/fronts/node-carrier.ts'
import { freePort } from '../support/ports.ts'
import { type AccessWorld, startAccessWorld } from '../support/worlds/access-world.ts'

const patienceMs = 120_000
const target = '/app/deep?x=1&y=%2F'

let world: AccessWorld
let carrier: NodeCarrier
let elsewhere: Server
let elsewhereUrl: string

beforeAll(async () => {
  const checkPort = await freePort()
  carrier = await startNodeCarrier(() => ({ gatewayPort: world.port, checkPort }))
  world = await startAccessWorld([{ prefix: '/app', upstream: 'external' }], {
    BASE_URL: carrier.origin,
    AUTH_PREFIX: '/auth',
    FORWARD_AUTH_PORT: `${checkPort}`,
  })
  elsewhere = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(`<!doctype html><title>Elsewhere</title><a href="${carrier.origin}${target}">Open</a>`)
  }).listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  elsewhereUrl = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`
}, patienceMs)
afterAll(async () => {
  await world.stop()
  await carrier.stop()
  elsewhere.closeAllConnections()
  elsewhere.close()
})

/** What began each of the navigations to the page since then. */
function sitesSince(count: number): readonly string[] {
  return carrier.asked.slice(count).map(([asked, site]) => (asked === target ? site : asked))
}

describe('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  }, patienceMs)
  afterAll(() => browser.close())

  it('a link of another site leads through the login to the page, and no further', async () => {
    const before = carrier.asked.length
    const page = await (await browser.newContext()).newPage()
    await page.goto(elsewhereUrl)
    await page.click('a')
    await page.waitForFunction("document.title === 'App'")
    expect(page.url()).toBe(`${carrier.origin}${target}`)
    expect(await page.textContent('#token')).toBe('Bearer eyJ')
    // Chromium counts only who began a navigation, so the way back brings the cookie at once.
    expect(sitesSince(before)).toEqual(['cross-site', 'same-origin', 'cross-site'])
    // Once signed in, a link of another site costs one page more, and a reload nothing.
    const signedIn = carrier.asked.length
    await page.goto(elsewhereUrl)
    await page.click('a')
    await page.waitForFunction("document.title === 'App'")
    expect(sitesSince(signedIn)).toEqual(['cross-site', 'same-origin'])
    await page.reload()
    expect(await page.title()).toBe('App')
    await page.goBack()
    expect(await page.title()).toBe('Elsewhere')
    await page.context().close()
  })

  it('a typed address leads there too', async () => {
    const before = carrier.asked.length
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${carrier.origin}${target}`)
    await page.waitForFunction("document.title === 'App'")
    expect(sitesSince(before)[0]).toBe('none')
    await page.context().close()
  })

  it('where every visit looks like one from elsewhere, a person decides after the third', async () => {
    carrier.breakHeaders = (headers) => {
      headers['sec-fetch-site'] = 'cross-site'
      delete headers.cookie
    }
    const before = carrier.asked.length
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${carrier.origin}${target}`)
    await expect.poll(() => carrier.asked.length - before).toBe(4)
    await page.getByRole('link').waitFor()
    await page.waitForTimeout(500)
    expect(carrier.asked.length - before).toBe(4)
    carrier.breakHeaders = undefined
    await page.getByRole('link').click()
    await page.waitForFunction("document.title === 'App'")
    await page.context().close()
  })

  it('without scripts there is a link', async () => {
    const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage()
    await page.goto(elsewhereUrl)
    await page.click('a')
    await page.getByRole('link').click()
    await page.waitForSelector('#token')
    await page.context().close()
  })
})

describe.skipIf(isFirefoxLeftOut)(isFirefoxLeftOut ? 'in Firefox (left out)' : 'in Firefox', () => {
  let firefox: Awaited<ReturnType<typeof launchFirefox>>
  beforeAll(async () => {
    firefox = await launchFirefox()
  }, patienceMs)
  afterAll(() => firefox?.close())

  it(
    'a link of another site leads through the login to the page, and no further',
    async () => {
      const before = carrier.asked.length
      const tab = await firefox.openTab()
      await tab.goto(elsewhereUrl)
      await tab.click('Open')
      await tab.until("document.title === 'App'")
      expect(await tab.evaluate('document.querySelector("#token").textContent')).toBe('Bearer eyJ')
      expect(sitesSince(before)).toEqual(['cross-site', 'same-origin', 'cross-site', 'same-origin'])
    },
    patienceMs,
  )
})
