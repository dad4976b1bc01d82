import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, beforeEach, test } from 'node:test'
import { chromium } from 'playwright-core'

const url = 'http://localhost:3000'
let dev
let browser
let context

before(async () => {
  // As a developer starts it: provider, gateway, API and Vite.
  dev = spawn('npm', ['run', 'dev'], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  dev.stdout.on('data', (text) => process.stdout.write(text))
  await until(async () => (await fetch(url)).ok)
  await until(async () => (await fetch('http://localhost:8080/')).status === 401)
  const executablePath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
    (path) => path && existsSync(path),
  )
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
})
after(async () => {
  await browser?.close()
  if (dev?.pid) process.kill(-dev.pid, 'SIGTERM')
})
beforeEach(async () => {
  await context?.close()
  context = await browser.newContext({ baseURL: url })
})

async function until(isTrue) {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline) {
    if (await isTrue().catch(() => false)) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error('it did not start')
}

async function signIn(page, name = 'Ada Okafor') {
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name }).click()
  await page.getByText(`Hello, ${name}`).waitFor()
}

const open = async () => {
  const page = await context.newPage()
  await page.goto('/')
  return page
}

test('two tabs sign in and out together', async () => {
  const [one, other] = [await open(), await open()]
  await other.getByRole('button', { name: 'Sign in' }).waitFor()
  await signIn(one)
  await other.getByText('Hello, Ada Okafor').waitFor()
  await one.getByRole('button', { name: 'Sign out' }).click()
  await other.getByRole('button', { name: 'Sign in' }).waitFor()
})

test('the API sees the permissions, and a stream runs', async () => {
  const page = await open()
  await signIn(page)
  await page.getByTestId('orders').getByText('A coat, dark green, An umbrella').waitFor()
  await page
    .getByTestId('time')
    .getByText(/T\d\d:/)
    .waitFor()
})

test('a right that is missing is 403 and no sign-out', async () => {
  const page = await open()
  await signIn(page, 'Ben Lindqvist')
  await page.getByText('You may not see the orders.').waitFor()
})

test('a page that was opened during an outage recovers by itself', async () => {
  const problem = {
    status: 503,
    contentType: 'application/problem+json',
    body: JSON.stringify({
      type: 'urn:coatcheck:problem:session_store_unavailable',
      code: 'session_store_unavailable',
    }),
  }
  await context.route('**/session', (route) => route.fulfill(problem))
  const page = await open()
  await page.getByRole('alert').waitFor()
  await context.unroute('**/session')
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
})

test('hot reload changes the page and keeps its state', async () => {
  const page = await open()
  await signIn(page)
  await page.evaluate(() => {
    globalThis.isTheSamePage = true
  })
  const file = new URL('../web/src/App.tsx', import.meta.url)
  const source = await readFile(file, 'utf8')
  try {
    await writeFile(file, source.replace('<h1>Orders</h1>', '<h1>All orders</h1>'))
    await page.getByRole('heading', { name: 'All orders' }).waitFor()
    await page.getByText('Hello, Ada Okafor').waitFor()
    assert.equal(await page.evaluate(() => globalThis.isTheSamePage), true)
  } finally {
    await writeFile(file, source)
  }
})

test('no token is anywhere where a script could look', async () => {
  const page = await open()
  await signIn(page)
  const seen = await page.evaluate(() =>
    JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]),
  )
  assert.doesNotMatch(seen, /eyJ/)
})
