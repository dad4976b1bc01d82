import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBrowser } from '../support/browser/browser-client.ts'
import { audiences, type Clinic, findingOf, openClinic, signIn, troubles } from './clinic/clinic.ts'

let clinic: Clinic

beforeAll(async () => {
  clinic = await openClinic()
})
afterAll(() => clinic.stop())

describe('coatcheck doctor --login', () => {
  it('shows one address on loopback, which nobody can guess', async () => {
    const urls: string[] = []
    const guesses: number[] = []
    await clinic.examine({
      async login(url) {
        urls.push(url)
        const guess = await fetch(
          url.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
          { redirect: 'manual' },
        )
        guesses.push(guess.status)
        await signIn(url)
      },
    })
    // Not in the callback, which nobody awaits.
    expect(guesses).toEqual([404])
    expect(urls).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/login\?doctor=[0-9a-f]{32}$/)])
    expect(new URL(urls[0] ?? '').origin).toBe(clinic.env.BASE_URL)
  })

  it('tells the person at the browser that the terminal has more, and nothing else', async () => {
    let page = ''
    await clinic.examine({
      async login(url) {
        page = await signIn(url)
      },
    })
    expect(page).toBe('You are signed in. The terminal explains what came; this page can be closed.\n')
  })

  it('stops waiting for somebody who never comes', async () => {
    const report = await clinic.examine({ login: async () => undefined, waitMs: 30 })
    expect(troubles(report)).toEqual(['fail login'])
    expect(findingOf(report, 'login').summary).toBe('Nobody signed in within 0 s.')
    expect(findingOf(report, 'access-token.format')).toMatchObject({
      status: 'skip',
      summary: 'The login did not come to pass.',
    })
  })

  it('goes on waiting when a callback comes that it did not begin', async () => {
    let forgedStatus = 0
    const report = await clinic.examine({
      async login(url) {
        const forged = await fetch(new URL('/callback?code=x&state=forged', url))
        forgedStatus = forged.status
        await signIn(url)
      },
    })
    expect(forgedStatus).toBe(400)
    expect(findingOf(report, 'login').status).toBe('pass')
  })

  it("says what the provider said when it denies the login, in the operator's words", async () => {
    const report = await clinic.examine({
      async login(url) {
        const tab = createBrowser({ baseUrl: new URL(url) }).tab()
        const { url: paused } = await tab.open(url, { stopBefore: (next) => next.pathname === '/callback' })
        const state = paused.searchParams.get('state') ?? ''
        const iss = encodeURIComponent(clinic.provider.issuer)
        const query = `error=access_denied&error_description=Not%1B[31mtoday&state=${state}&iss=${iss}`
        await fetch(new URL(`/callback?${query}`, url))
      },
    })
    expect(troubles(report)).toEqual(['fail login'])
    // The escape character would reach the terminal.
    expect(findingOf(report, 'login').summary).toBe(
      'The provider denied the login: "access_denied", "Not\\u001b[31mtoday".',
    )
  })

  it('names a route whose API the refresh token is not good for', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'coatcheck-doctor-'))
    const file = join(folder, 'routes.json')
    const routes = [
      { prefix: '/api', upstream: clinic.api.url },
      { prefix: '/other', upstream: clinic.api.url, audience: audiences.withoutOffline },
    ]
    await writeFile(file, JSON.stringify({ routes }))
    const report = await clinic.examine({ env: { API_URL: undefined, ROUTES_FILE: file }, login: true })
    await rm(folder, { recursive: true })
    expect(report.checks.filter(({ check }) => check === 'refresh-token')).toEqual([
      expect.objectContaining({ status: 'pass' }),
      expect.objectContaining({
        status: 'fail',
        subject: '/other',
        summary: expect.stringContaining('for another audience'),
        fix: expect.stringMatching(/^Let one refresh token be good for several APIs\./),
      }),
    ])
    expect(await clinic.provider.tryRefresh(clinic.provider.lastTokens().refreshToken)).toBe(403)
  })

  it('names a port that is taken', async () => {
    const squatter = createServer((_request, response) => response.end())
    await new Promise<void>((resolve) => squatter.listen(Number(clinic.env.PORT), '127.0.0.1', resolve))
    const report = await clinic.examine({ login: true })
    squatter.closeAllConnections()
    await new Promise((resolve) => squatter.close(resolve))
    expect(findingOf(report, 'login')).toMatchObject({
      status: 'fail',
      fix: 'Stop it while you try the login.',
    })
  })

  it('says which callback URL to register when BASE_URL is not on loopback', async () => {
    const report = await clinic.examine({
      env: { BASE_URL: 'https://app.invalid' },
      login: () => Promise.reject(new Error('must not be announced')),
    })
    const uri = `http://localhost:${clinic.env.PORT}/callback`
    expect(findingOf(report, 'login')).toMatchObject({
      status: 'fail',
      summary: `BASE_URL is not on loopback, so the login comes back to ${uri}, which the provider does not know.`,
      fix: expect.stringContaining(uri),
    })
  })
})
