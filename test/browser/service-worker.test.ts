import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchChromium } from '../support/browser/chromium.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

/** The worker that the documentation recommends, with an app shell that stands in the way wherever it answers. */
async function recommendedWorker(): Promise<string> {
  const page = await readFile(new URL('../../docs/service-workers.md', import.meta.url), 'utf8')
  const code = /```js\n([\s\S]*?)```/.exec(page)?.[1]
  if (code === undefined) throw new Error('docs/service-workers.md shows no worker')
  return `${takeOver}
const fromCacheOrNetwork = (request) => request.mode === 'navigate'
  ? new Response('<title>the shell</title>', { headers: { 'content-type': 'text/html' } })
  : fetch(request)
${code}`
}

/** Without this a worker controls a page only after its next load. */
const takeOver = `self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))`

const careless = `${takeOver}
self.addEventListener('fetch', (event) => event.respondWith(fetch(event.request)))`

let folder: string
let world: World
let chromium: Browser
let context: BrowserContext
let page: Page

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-worker-'))
  await writeFile(join(folder, 'index.html'), '<title>the app</title>')
  await writeFile(join(folder, 'recommended.js'), await recommendedWorker())
  await writeFile(join(folder, 'careless.js'), careless)
  world = await startWorld({ scheme: 'http', settings: { SPA_DIR: folder } })
  chromium = await launchChromium()
})
afterAll(async () => {
  await chromium?.close()
  await world?.stop()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  context = await chromium.newContext({ baseURL: world.baseUrl.origin })
  page = await context.newPage()
  page.setDefaultTimeout(10_000)
})
afterEach(() => context.close())

/** Registers the worker, and waits until it answers for the page. */
async function install(worker: string): Promise<void> {
  await page.goto('/')
  await page.evaluate(
    `new Promise((resolve, reject) => {
      navigator.serviceWorker.addEventListener('controllerchange', resolve)
      navigator.serviceWorker.register('/${worker}').catch(reject)
    })`,
  )
}

const statusInPage = (path: string) => page.evaluate(`fetch('${path}').then(({ status }) => status)`)

describe('a page with the worker of the documentation', () => {
  beforeEach(() => install('recommended.js'))

  test('signs in, calls the API and signs out as without one', async () => {
    await page.goto('/login?returnTo=/welcome')
    expect([new URL(page.url()).pathname, await page.title()]).toEqual(['/welcome', 'the shell'])
    expect(await statusInPage('/api/orders')).toBe(200)
    expect(await page.evaluate("fetch('/session').then((answer) => answer.json())")).toMatchObject({
      authenticated: true,
    })
    await page.evaluate(
      "{ const form = document.createElement('form'); form.method = 'post'; form.action = '/logout?returnTo=/goodbye'; document.body.append(form); form.submit() }",
    )
    await page.waitForURL('**/goodbye')
    expect(await statusInPage('/api/orders')).toBe(401)
  })

  test('receives events while they come', async () => {
    await page.goto('/login?returnTo=/welcome')
    const first = await page.evaluate(
      "new Promise((resolve, reject) => { const source = new EventSource('/api/events'); source.onmessage = ({ data }) => { source.close(); resolve(data) }; source.onerror = reject })",
    )
    expect(first).toBe('hello')
  })
})

test('a worker that makes navigations anew is named as the cause when it breaks the sign-in', async () => {
  await install('careless.js')
  await page.goto('/login?returnTo=/welcome')
  const text = await page.textContent('body')
  expect(text).toContain('csrf_rejected')
  expect(text).toContain('service worker')
})
