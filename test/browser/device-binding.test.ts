import { createHash, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromiumProfile } from '../support/browser/chromium.ts'
import { eventually } from '../support/eventually.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { startTlsFront, type TlsFront } from '../support/fronts/tls-front.ts'
import { alice } from '../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

/** Short enough to wait for its end. */
const lifetimeSeconds = 8
const deviceCookie = '__Host-coatcheck-device'
/**
 * Debian's Chromium has the feature, and on Linux no hardware for its keys. It signs six times in nine minutes and no more, unless the
 * parameter of the feature says otherwise: older versions had a feature of its own for that, whose name means nothing any more.
 */
const bindingFlags = [
  '--enable-features=DeviceBoundSessions:RefreshQuota/false,EnableBoundSessionCredentialsSoftwareKeysForManualTesting',
]

interface Seen {
  readonly status: number
  readonly body: Record<string, unknown>
}

let world: World
let certificates: Certificates
let front: TlsFront
let flags: readonly string[]
const folders: string[] = []
const profiles: BrowserContext[] = []

beforeAll(async () => {
  world = await startWorld({
    gateways: 1,
    settings: {
      SESSION_COOKIE_PERSISTENT: 'true',
      DEVICE_BINDING: 'auto',
      DEVICE_BINDING_LIFETIME: `${lifetimeSeconds}`,
      RATE_LIMIT: 'off',
    },
  })
  certificates = await makeCertificates('DNS:app.example.test')
  const cert = await readFile(certificates.certificateFile)
  front = await startTlsFront(world.gateways[0]?.port ?? 0, {
    cert,
    key: await readFile(certificates.keyFile),
  })
  // With errors of certificates ignored for all, no session is bound.
  const { publicKey } = new X509Certificate(cert)
  const trusted = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64')
  flags = [
    `--host-resolver-rules=MAP app.example.test:443 127.0.0.1:${front.port}`,
    `--ignore-certificate-errors-spki-list=${trusted}`,
  ]
})
afterAll(async () => {
  for (const profile of profiles) await profile.close()
  await front?.stop()
  await certificates?.remove()
  await world?.stop()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coatcheck-profile-'))
  folders.push(folder)
  return folder
}

async function openProfile(extraFlags: readonly string[], folder?: string): Promise<Page> {
  const profile = await launchChromiumProfile(folder ?? (await newFolder()), [...flags, ...extraFlags])
  profiles.push(profile)
  const page = profile.pages()[0] ?? (await profile.newPage())
  page.setDefaultTimeout(15_000)
  return page
}

// Text instead of functions: the tests are compiled without the DOM.
const fetchInPage = (page: Page, path: string): Promise<Seen> =>
  page.evaluate(
    `fetch(${JSON.stringify(path)}).then(async (answer) => ({ status: answer.status, body: await answer.json() }))`,
  )

async function signIn(page: Page): Promise<void> {
  await page.goto(`${world.baseUrl.origin}/login?returnTo=/welcome`)
  expect(new URL(page.url()).pathname).toBe('/welcome')
}

const cookiesOf = (page: Page) => page.context().cookies(world.baseUrl.origin)

const proofOf = async (page: Page) => (await cookiesOf(page)).find(({ name }) => name === deviceCookie)

/** The jar is looked at instead of the gateway: near the end of a proof every request makes the browser renew it. */
const proofLapses = (page: Page): Promise<void> =>
  eventually(async () => expect(await proofOf(page)).toBeUndefined(), 3 * lifetimeSeconds * 1_000)

/** A browser that binds sessions too, into which cookies were copied. */
async function profileWith(stolen: Awaited<ReturnType<typeof cookiesOf>>): Promise<Page> {
  const page = await openProfile(bindingFlags)
  // The prefix of their names allows no domain.
  const copied = stolen.map(({ domain: _domain, path: _path, ...cookie }) => ({
    ...cookie,
    url: world.baseUrl.origin,
  }))
  await page.context().addCookies(copied)
  await page.goto(`${world.baseUrl.origin}/welcome`)
  return page
}

async function boundPage(folder?: string): Promise<Page> {
  const page = await openProfile(bindingFlags, folder)
  await signIn(page)
  expect((await fetchInPage(page, '/session')).body.device).toBe('unbound')
  await eventually(async () => expect(await proofOf(page)).toBeDefined(), 15_000)
  return page
}

describe('a session of a Chromium that binds it to its device', () => {
  it('outlives its first proof, an event stream included, while a copy of its cookies is worth nothing', async () => {
    const page = await boundPage()
    await page.evaluate(
      `globalThis.opened = 0; globalThis.stream = new EventSource('/api/events'); new Promise((resolve) => { stream.onopen = () => resolve(opened += 1) })`,
    )
    const thief = await profileWith(await cookiesOf(page))
    const steals = async (): Promise<number> => (await fetchInPage(thief, '/api/orders')).status
    expect(await steals()).toBe(200)
    // What it copied counts for a tenth of its life more.
    await proofLapses(page)
    await eventually(async () => expect(await steals()).toBe(401))
    expect((await fetchInPage(page, '/sessions')).status).toBe(200)
    await proofLapses(page)
    expect(await fetchInPage(page, '/api/orders')).toMatchObject({ status: 200, body: { sub: alice.id } })
    expect(await steals()).toBe(401)
    const told = await fetchInPage(thief, '/session')
    expect(told.body).toMatchObject({ authenticated: true, device: 'bound', deviceExpiresIn: 0 })
    expect((await cookiesOf(thief)).map(({ name }) => name)).toEqual([world.sessionCookieName])
    expect((await fetchInPage(page, '/session')).body).toMatchObject({ authenticated: true, device: 'bound' })
    // It would come back by itself.
    expect(await page.evaluate('[stream.readyState, opened]')).toEqual([1, 1])
  })
})

describe('the binding of a Chromium', () => {
  it('holds for thirty calls at once whose proof has just ended, over a restart of the browser, and until the logout', async () => {
    const folder = await newFolder()
    const page = await boundPage(folder)
    await proofLapses(page)
    const calls =
      "Promise.all(Array.from({ length: 30 }, () => fetch('/api/orders').then(({ status }) => status)))"
    expect(new Set(await page.evaluate<number[]>(calls))).toEqual(new Set([200]))
    await page.context().close()
    const again = await openProfile(bindingFlags, folder)
    await again.goto(`${world.baseUrl.origin}/welcome`)
    expect(await fetchInPage(again, '/api/orders')).toMatchObject({ status: 200 })
    expect((await fetchInPage(again, '/session')).body).toMatchObject({
      authenticated: true,
      device: 'bound',
    })
    await again.goto(`${world.baseUrl.origin}/logout`)
    await again.getByRole('button').first().click()
    await eventually(async () => expect(await cookiesOf(again)).toEqual([]), 10_000)
    await again.goto(`${world.baseUrl.origin}/welcome`)
    expect((await fetchInPage(again, '/session')).body).toMatchObject({ authenticated: false })
  })

  it('outlives a store that does not answer at its renewal, and a restart of the gateway under a new SESSION_SECRET', async () => {
    const page = await boundPage()
    world.redis.freeze()
    await proofLapses(page)
    expect((await fetchInPage(page, '/api/orders')).status).toBe(503)
    world.redis.thaw()
    const secrets = ['another-session-secret-of-the-tests-0123456789', ...world.secrets].join()
    await (await world.replaceGateway(0, { SESSION_SECRET: secrets })).ready()
    await eventually(async () => {
      expect(await fetchInPage(page, '/api/orders')).toMatchObject({ status: 200 })
    }, 30_000)
    expect((await fetchInPage(page, '/session')).body).toMatchObject({ authenticated: true, device: 'bound' })
    expect(await proofOf(page)).toBeDefined()
    await proofLapses(page)
    expect(await fetchInPage(page, '/api/orders')).toMatchObject({ status: 200 })
  })
})

describe('a Chromium that binds nothing', () => {
  it('notices nothing of the offer', async () => {
    const page = await openProfile([])
    await signIn(page)
    expect((await fetchInPage(page, '/session')).body.device).toBe('unbound')
    expect((await fetchInPage(page, '/api/orders')).status).toBe(200)
    expect(await proofOf(page)).toBeUndefined()
  })
})
