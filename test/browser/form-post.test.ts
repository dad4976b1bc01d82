import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium } from '../support/browser/chromium.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { startTlsFront, type TlsFront } from '../support/fronts/tls-front.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

let world: World
let certificates: Certificates
let front: TlsFront
let chromium: Browser

beforeAll(async () => {
  world = await startWorld({ settings: { RESPONSE_MODE: 'form_post' } })
  certificates = await makeCertificates('DNS:app.example.test')
  front = await startTlsFront(world.gateways[0]?.port ?? 0, {
    cert: await readFile(certificates.certificateFile),
    key: await readFile(certificates.keyFile),
  })
  chromium = await launchChromium([`--host-resolver-rules=MAP app.example.test:443 127.0.0.1:${front.port}`])
})
afterAll(async () => {
  await chromium?.close()
  await front?.stop()
  await certificates?.remove()
  await world?.stop()
})

async function openPage(javaScriptEnabled: boolean): Promise<Page> {
  const baseURL = world.baseUrl.origin
  const context = await chromium.newContext({ ignoreHTTPSErrors: true, baseURL, javaScriptEnabled })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  return page
}

/** What the gateway answered at `/callback`: the methods and statuses, in order. */
function callbacksOf(page: Page): string[] {
  const seen: string[] = []
  page.on('response', (response) => {
    if (new URL(response.url()).pathname === '/callback')
      seen.push(`${response.request().method()} ${response.status()}`)
  })
  return seen
}

describe('an answer that comes as a form from another site, in Chromium', () => {
  it('is posted once more from our own origin, where the Lax cookie comes along', async () => {
    const page = await openPage(true)
    const callbacks = callbacksOf(page)
    await page.goto('/login?returnTo=/welcome')
    await page.waitForURL('**/welcome')
    expect(callbacks).toEqual(['POST 200', 'POST 303'])
    const session = "fetch('/session').then((answer) => answer.json())"
    expect(await page.evaluate(session)).toMatchObject({ authenticated: true })
    await page.context().close()
  })

  it('waits for a press of the button where no script runs', async () => {
    const page = await openPage(false)
    const callbacks = callbacksOf(page)
    await page.goto('/login?returnTo=/welcome')
    // The provider's form, then ours.
    await page.locator('button, input[type=submit]').first().click()
    await page.waitForURL('**/callback')
    await page.getByRole('button').click()
    await page.waitForURL('**/welcome')
    expect(callbacks).toEqual(['POST 200', 'POST 303'])
    await page.context().close()
  })
})
