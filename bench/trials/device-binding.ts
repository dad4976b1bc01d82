/**
 * A Chromium that binds its session to its device, in use for a while: `node bench/trials/device-binding.ts [minutes] [seconds]`, ten minutes with
 * proofs of 30 seconds by default. It calls the API for a while, then waits until the proof has ended, then calls it thirty times at once, and so on, with an event stream open all the
 * time; in the middle its cookies are copied into a second profile. Prints what was answered to whom.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { launchChromiumProfile } from '../../test/support/browser/chromium.ts'
import { type Certificates, makeCertificates } from '../../test/support/fronts/certificates.ts'
import { startTlsFront } from '../../test/support/fronts/tls-front.ts'
import { startWorld } from '../../test/support/worlds/world.ts'

const [minutes = '10', lifetimeSeconds = '30'] = process.argv.slice(2)
const deviceCookie = '__Host-coatcheck-device'
const callEveryMs = 3_000
const callsInARow = 4
const jarEveryMs = 250
const middle = 0.5
const atOnce = 30
const binding = [
  '--enable-features=DeviceBoundSessions:RefreshQuota/false,EnableBoundSessionCredentialsSoftwareKeysForManualTesting',
]

const atEnd: (() => Promise<unknown>)[] = []

async function flagsFor(certificates: Certificates, port: number): Promise<readonly string[]> {
  const { publicKey } = new X509Certificate(await readFile(certificates.certificateFile))
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const trusted = createHash('sha256').update(spki).digest('base64')
  return [
    ...binding,
    `--host-resolver-rules=MAP app.example.test:443 127.0.0.1:${port}`,
    `--ignore-certificate-errors-spki-list=${trusted}`,
  ]
}

async function openProfile(flags: readonly string[]): Promise<Page> {
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-profile-'))
  atEnd.push(() => rm(folder, { recursive: true, force: true }))
  const profile = await launchChromiumProfile(folder, flags)
  atEnd.push(() => profile.close())
  return profile.pages()[0] ?? profile.newPage()
}

/** The statuses of calls at once; text instead of functions, because nothing here knows the DOM. */
const callAll = (page: Page, count: number): Promise<readonly number[]> =>
  page.evaluate(
    `Promise.all(Array.from({ length: ${count} }, () => fetch('/api/orders').then(({ status }) => status, () => 0)))`,
  )

/** Numbers by what they count. */
class Tally {
  readonly #counts = new Map<string, number>()

  add(what: string, statuses: readonly number[]): void {
    for (const status of statuses) {
      const key = `${what}: ${status}`
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    }
  }

  text(): string {
    return [...this.#counts].map(([key, count]) => `${key}, ${count} times\n`).join('')
  }
}

/** Some calls, then none until the proof has ended, then thirty at once; over and over. */
async function use(page: Page, origin: string, newProfile: () => Promise<Page>): Promise<string> {
  const tally = new Tally()
  const cookies = () => page.context().cookies(origin)
  const startedMs = performance.now()
  const passed = (): number => (performance.now() - startedMs) / (Number(minutes) * 60_000)
  let thief: Page | undefined
  while (passed() < 1) {
    for (let call = 0; call < callsInARow; call += 1) {
      tally.add('a call', await callAll(page, 1))
      if (thief !== undefined) tally.add('a call with copied cookies', await callAll(thief, 1))
      await sleep(callEveryMs)
    }
    if (thief === undefined && passed() > middle) thief = await copyTo(newProfile, await cookies(), origin)
    while ((await cookies()).some(({ name }) => name === deviceCookie)) await sleep(jarEveryMs)
    tally.add(`${atOnce} calls at once, whose proof had just ended`, await callAll(page, atOnce))
  }
  return tally.text()
}

async function copyTo(
  newProfile: () => Promise<Page>,
  jar: Awaited<ReturnType<ReturnType<Page['context']>['cookies']>>,
  origin: string,
): Promise<Page> {
  const thief = await newProfile()
  // The prefix of their names allows no domain.
  await thief
    .context()
    .addCookies(jar.map(({ domain: _domain, path: _path, ...one }) => ({ ...one, url: origin })))
  await thief.goto(`${origin}/welcome`)
  return thief
}

try {
  const settings = { DEVICE_BINDING: 'auto', DEVICE_BINDING_LIFETIME: lifetimeSeconds, RATE_LIMIT: 'off' }
  const world = await startWorld({ settings })
  atEnd.push(() => world.stop())
  const certificates = await makeCertificates('DNS:app.example.test')
  atEnd.push(() => certificates.remove())
  const front = await startTlsFront(world.gateways[0]?.port ?? 0, {
    cert: await readFile(certificates.certificateFile),
    key: await readFile(certificates.keyFile),
  })
  atEnd.push(() => front.stop())
  const flags = await flagsFor(certificates, front.port)
  const page = await openProfile(flags)
  const { origin } = world.baseUrl
  await page.goto(`${origin}/login?returnTo=/welcome`)
  const signedInMs = performance.now()
  const session = (): Promise<{ readonly device?: string }> =>
    page.evaluate(`fetch('/session').then((answer) => answer.json())`)
  while ((await session()).device !== 'bound') await sleep(100)
  process.stdout.write(`bound ${((performance.now() - signedInMs) / 1_000).toFixed(1)} s after the sign-in\n`)
  await page.evaluate(
    `globalThis.opened = 0; globalThis.stream = new EventSource('/api/events'); new Promise((resolve) => { stream.onopen = () => resolve(opened += 1) })`,
  )
  process.stdout.write(await use(page, origin, () => openProfile(flags)))
  const lines = world.gateways[0]?.log() ?? []
  const renewals = lines.filter(
    ({ msg, path, status }) => msg === 'request' && path === '/device/refresh' && status === 200,
  )
  process.stdout.write(`renewals: ${renewals.length}\n`)
  const [state, opened] = await page.evaluate<readonly number[]>('[stream.readyState, opened]')
  process.stdout.write(`event stream: ${state === 1 ? 'open' : 'not open'}, was opened ${opened} time(s)\n`)
} finally {
  for (const end of atEnd.reverse()) await end()
}
