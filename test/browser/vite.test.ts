import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { createServer, type UserConfig, type ViteDevServer } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDemoApi } from '../../demo/api/api.ts'
import { cloakroom, cloakroomAudience, demoScope, people } from '../../demo/world.ts'
import { createGateway } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { startDemoProvider } from '../../src/dev/provider/provider.ts'
import { launchChromium } from '../support/browser/chromium.ts'
import { freePort } from '../support/ports.ts'

/** What has to be stopped, last started first. */
let stops: (() => Promise<unknown>)[]
let browser: Browser
let page: Page
let folder: string

beforeAll(async () => {
  browser = await launchChromium()
})

afterAll(() => browser?.close())

beforeEach(async () => {
  stops = []
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-vite-'))
  stops.push(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(import.meta.dirname, '../../node_modules'), join(folder, 'node_modules'))
  await writeFile(join(folder, 'index.html'), '<h1></h1><script type="module" src="/main.js"></script>')
  await writeApp()
  page = await browser.newPage()
})

afterEach(async () => {
  // Before the gateway, which would wait for the page's connections.
  await page.close()
  for (const stop of stops.reverse()) await stop()
})

const writeText = (text: string): Promise<void> =>
  writeFile(join(folder, 'text.js'), `export const text = ${JSON.stringify(text)}\n`)

/** An app that takes a new version of its text without reloading, and can ask the API who calls. */
async function writeApp(): Promise<void> {
  await writeText('first')
  await writeFile(
    join(folder, 'main.js'),
    `import { text } from './text.js'
const show = (shown) => { document.querySelector('h1').textContent = shown }
show(text)
import.meta.hot.accept('./text.js', (changed) => show(changed.text))
window.callApi = async () => (await (await fetch('/api/me')).json()).user
window.loadedAt ??= Math.random()
`,
  )
}

async function startVite(port: number, server: UserConfig['server']): Promise<ViteDevServer> {
  const vite = await createServer({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    cacheDir: join(folder, '.vite'),
    server: { host: '127.0.0.1', port, strictPort: true, ...server },
  })
  await vite.listen()
  stops.push(() => vite.close())
  return vite
}

/** A gateway with provider and API, under the origin that the browser sees. */
async function startGateway(port: number, baseUrl: string, settings: Record<string, string>): Promise<void> {
  const clientSecret = 'the secret of the application under development'
  const clients = [{ clientId: 'app', clientSecret, baseUrl }]
  const provider = await startDemoProvider({
    clients,
    apis: [cloakroom],
    users: people,
    autoLogin: 'demo|ada',
  })
  stops.push(provider.stop)
  const api = await startDemoApi({ issuer: provider.issuer, audience: cloakroomAudience })
  stops.push(api.stop)
  const config = loadConfig({
    ISSUER_URL: provider.issuer,
    CLIENT_ID: 'app',
    CLIENT_SECRET: clientSecret,
    API_AUDIENCE: cloakroomAudience,
    SCOPE: demoScope,
    API_URL: api.url,
    BASE_URL: baseUrl,
    SESSION_SECRET: 'a session secret that is long enough for this test',
    LOG_LEVEL: 'silent',
    ...settings,
  })
  const gateway = await createGateway(config)
  stops.push(() => gateway.close())
  await gateway.listen({ port, host: '127.0.0.1' })
}

/** Signs in, calls the API, changes the source and sees the change without a reload. */
async function develop(baseUrl: string): Promise<void> {
  await page.goto(`${baseUrl}/login?returnTo=/`)
  await page.getByRole('heading', { name: 'first' }).waitFor()
  expect(new URL(page.url()).origin).toBe(baseUrl)
  expect(await page.evaluate('callApi()')).toBe('demo|ada')
  const loadedAt = await page.evaluate('loadedAt')
  // The page connects for hot reload after its scripts have run.
  await expect
    .poll(
      async () => {
        await writeText(`second ${Date.now()}`)
        return page.locator('h1').innerText()
      },
      { timeout: 20_000, interval: 500 },
    )
    .toContain('second')
  expect(await page.evaluate('loadedAt')).toBe(loadedAt)
}

describe('development with Vite', () => {
  it('works with the gateway in front, hot reload included', async () => {
    const [port, vitePort] = [await freePort(), await freePort()]
    const baseUrl = `http://localhost:${port}`
    await startVite(vitePort, {})
    await startGateway(port, baseUrl, { SPA_URL: `http://127.0.0.1:${vitePort}` })
    await develop(baseUrl)
  })

  it('works with Vite in front, with the pattern that the README gives', async () => {
    const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8')
    const pattern = /'(\^\/\(api\|[^']+)': \{ target/.exec(readme)?.[1] ?? ''
    const [port, vitePort] = [await freePort(), await freePort()]
    const baseUrl = `http://localhost:${vitePort}`
    await startGateway(port, baseUrl, {})
    await startVite(vitePort, { proxy: { [pattern]: { target: `http://127.0.0.1:${port}`, ws: true } } })
    await develop(baseUrl)
  })
})
