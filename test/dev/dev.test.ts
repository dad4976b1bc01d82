import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dev, startDev } from '../../src/dev/dev.ts'
import { choosePort } from '../../src/dev/ports.ts'
import { createBrowser } from '../support/browser/browser-client.ts'

let dev: Dev
beforeAll(async () => {
  const env = { SCOPE: 'openid profile email offline_access read:orders', LOG_LEVEL: 'silent' }
  dev = await startDev(env, { port: await choosePort(0) })
})
afterAll(() => dev.stop())

const press = (fields: Record<string, string>, headers: Record<string, string>) =>
  fetch(dev.controlUrl, { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' })
const ours = { 'sec-fetch-site': 'same-origin' }

async function signIn() {
  const browser = createBrowser({ baseUrl: dev.config.baseUrl })
  const tab = browser.tab()
  const page = await tab.open('/login')
  await tab.submit(page.url.href, { user: 'dev|ada' })
  return tab
}
const who = async (tab: Awaited<ReturnType<typeof signIn>>) =>
  JSON.parse((await tab.fetch(new URL('/session', dev.config.baseUrl).href)).body.toString())

describe('coatcheck dev', () => {
  it('lets somebody sign in, and ends that from its buttons as from another device', async () => {
    const tab = await signIn()
    expect(await who(tab)).toMatchObject({ authenticated: true, user: { name: 'Ada Okafor' } })
    expect((await press({ action: 'end-sessions' }, ours)).status).toBe(303)
    await expect.poll(async () => (await who(tab)).authenticated).toBe(false)
  })

  it('has switches that turn on and off', async () => {
    await press({ turn: 'short', to: 'on' }, ours)
    await press({ turn: 'old', to: 'on' }, ours)
    expect(dev.provider.knobs).toMatchObject({ accessTokenTtlSeconds: 20, signInAgeSeconds: 3_600 })
    expect(await (await fetch(dev.controlUrl)).text()).toContain('aria-pressed="true"')
    await press({ turn: 'short', to: 'off' }, ours)
    await press({ turn: 'old', to: 'off' }, ours)
    expect(dev.provider.knobs).toMatchObject({ accessTokenTtlSeconds: 600, signInAgeSeconds: 0 })
  })

  it('can take the provider down, but not its buttons', async () => {
    const discovery = new URL('.well-known/openid-configuration', dev.provider.issuer)
    await press({ turn: 'down', to: 'on' }, ours)
    expect((await fetch(discovery)).status).toBe(503)
    expect((await fetch(dev.controlUrl)).status).toBe(200)
    await press({ turn: 'down', to: 'off' }, ours)
    expect((await fetch(discovery)).status).toBe(200)
  })

  it.each([{}, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }])(
    'takes no order from other pages: %o',
    async (headers) => {
      expect((await press({ turn: 'down', to: 'on' }, headers as Record<string, string>)).status).toBe(403)
      expect(dev.provider.knobs.isDown).toBe(false)
    },
  )

  it('gives the context that a step-up asks for, after asking again', async () => {
    const tab = await signIn()
    const page = await tab.follow('/login?acr_values=mfa')
    expect(page.url.pathname).toMatch(/^\/u\/login\//)
    const landed = await tab.submit(page.url.href, { user: 'dev|ada' })
    expect(landed.url.origin).toBe(dev.config.baseUrl.origin)
    expect((await who(tab)).authenticated).toBe(true)
  })
})
