import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Answer } from '../../support/exchange.ts'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

let world: FaultWorld
beforeAll(async () => {
  world = await startFaultWorld({ LOGIN_PARAMETERS: 'acr_values,max_age,prompt' })
})
afterAll(() => world.stop())
afterEach(() => world.heal())

const navigation = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

/** The page on which a person ends who signs in by `link`, the provider's answer changed. */
async function arrive(
  link: string,
  change: (query: URLSearchParams) => void,
  seen: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const started = await world.request('GET', link, { ...navigation, ...seen })
  const query = new URLSearchParams(world.provider.approve(new URL(started.headers.location ?? '')))
  change(query)
  const [cookie = ''] = (started.setCookies[0] ?? '').split(';')
  return world.request('GET', `/callback?${query}`, { ...navigation, cookie })
}

const error =
  (name: string, words = 'AADSTS65004: words of the provider') =>
  (query: URLSearchParams) => {
    query.delete('code')
    query.set('error', name)
    query.set('error_description', words)
  }
const asItCame = (): void => undefined
const textOf = (page: Answer): string => page.text().replaceAll(/<[^>]*>/g, ' ')

/** A page with two ways on: back to the app, and to sign in again. */
function expectWayBack(page: Answer): void {
  expect(page.headers['content-type']).toContain('text/html')
  expect(page.text()).toMatch(/href="\/"/)
  expect(page.text()).toMatch(/href="\/login/)
  expect(page.headers).not.toHaveProperty('refresh')
}

describe('a page says', () => {
  it.each<readonly [string, string, Readonly<Record<string, unknown>>]>([
    ['acr_values', '/login?acr_values=gold', { acr: 'silver' }],
    ['max_age', '/login?max_age=60', { auth_time: 1 }],
    ['max_age, and no auth_time came', '/login?max_age=60', {}],
  ])(
    'that a stronger sign-in did not take place (%s), not that it was an attack',
    async (_what, link, claims) => {
      const cookie = await world.signIn()
      world.provider.faults.idToken = (all) => Object.assign(all, claims)
      const page = await arrive(link, asItCame, { cookie })
      expect(page.status).toBe(400)
      expect(textOf(page)).toContain('stronger or newer sign-in that was asked for did not take place')
      expect(textOf(page)).not.toMatch(/security check|silver/)
      expectWayBack(page)
      world.heal()
      expect(await world.isSignedIn(cookie)).toBe(true)
    },
  )

  it('in plain words that the user has cancelled', async () => {
    const page = await arrive('/login', error('access_denied', 'The user denied \u001b[31mthe\r\nrequest'))
    expect(page.status).toBe(403)
    expect(textOf(page)).toContain('You did not allow the sign-in')
    expect(textOf(page)).not.toMatch(/access_denied|denied the/)
    expectWayBack(page)
    const lines = world.log().split('\n')
    expect(lines.find((line) => line.includes('"audit":"login.refused"'))).toContain(
      '"providerErrorDescription":"The user denied \\\\u001b[31mthe\\\\u000d\\\\u000arequest"',
    )
  })

  it.each([
    'server_error',
    'temporarily_unavailable',
    'consent_required',
    'interaction_required',
    'invalid_scope',
  ])('%s in words of ours, and nothing of the provider', async (name) => {
    const page = await arrive('/login', error(name))
    expect(page.status).toBe(403)
    expect(page.text()).not.toContain(name)
    expect(page.text()).not.toContain('AADSTS')
    expectWayBack(page)
  })

  it('nothing of words that are megabytes, controls or markup', async () => {
    const words = `<script>alert(1)</script>\u0000\u202e${'x'.repeat(2_000)}`
    const page = await arrive('/login', error('<b>bold</b>', words))
    expect(page.status).toBe(403)
    expect(page.text()).not.toMatch(/alert|<b>bold|x{50}/)
    const audit = JSON.parse(
      world
        .log()
        .split('\n')
        .find((line) => line.includes('"audit":"login.refused"')) ?? '{}',
    )
    expect(audit.providerErrorDescription).toHaveLength(300)
    expect(world.log()).not.toContain('\u202e')
  })
})

describe('prompt=none', () => {
  it.each(['login_required', 'interaction_required', 'consent_required', 'account_selection_required'])(
    'that ends with %s leads back, and nothing has changed',
    async (name) => {
      const cookie = await world.signIn()
      const answer = await arrive('/login?prompt=none&returnTo=/orders', error(name), { cookie })
      expect({ status: answer.status, to: answer.headers.location }).toEqual({ status: 303, to: '/orders' })
      expect(answer.setCookies.every((line) => /-login-.*Max-Age=0/.test(line))).toBe(true)
      expect(await world.isSignedIn(cookie)).toBe(true)
      const said = world
        .log()
        .split('\n')
        .filter((line) => line.includes('denied a login'))
      expect(said.filter((line) => !line.includes('"level":"debug"'))).toEqual([])
    },
  )

  it('that ends with another error, or a login without it, ends at a page', async () => {
    expect((await arrive('/login?prompt=none', error('access_denied'))).status).toBe(403)
    expect((await arrive('/login?prompt=login', error('login_required'))).status).toBe(403)
    expect((await arrive('/login', error('login_required'))).status).toBe(403)
  })
})

it.each(['abc', '-1', '1.5', '99999999999', '', 'Infinity', '60&max_age=99999'])(
  'a link with max_age=%s takes no demand away',
  async (value) => {
    const answer = await world.request('GET', `/login?max_age=${value}`, navigation)
    if (answer.status === 303) {
      world.provider.faults.idToken = (all) => Object.assign(all, { auth_time: 1 })
      expect((await arrive(`/login?max_age=${value}`, asItCame)).status).toBe(400)
    } else expect(answer.status).toBe(400)
  },
)
