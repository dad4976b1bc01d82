import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectPage } from '../support/expect-problem.ts'
import { startWorld, type World } from '../support/worlds/world.ts'

describe.each(['alone, beneath a path', 'the second of three frontends, beneath a path'] as const)(
  'a gateway %s',
  (placement) => {
    let world: World
    beforeAll(async () => {
      world = await startWorld({ placement })
    })
    afterAll(() => world.stop())

    const isSecond = placement.startsWith('the second')

    test('signs in to its own start page unless told otherwise', async () => {
      const { url, answer } = await world.browser().tab().open('/login')
      expect([url.pathname, answer.status]).toEqual(['/desk/', 200])
    })

    test.each([
      '/',
      '/welcome',
      '/desktop',
      '/desk/../welcome',
      '/desk/%2e%2e/welcome',
      '/desk/login',
      '/desk/api/orders',
      '//evil.example/desk/',
      ...(isSecond ? ['/desk/below/login', '/desk/below/api/orders', '/desk/below/logout/callback'] : []),
    ])('refuses returnTo %s, which is not a page of its app', async (returnTo) => {
      const { answer } = await world
        .browser()
        .tab()
        .open(`/login?returnTo=${encodeURIComponent(returnTo)}`)
      expectPage(answer, 400, 'return_to_invalid')
    })

    test('serves the app at every address of its pages, and files beneath the path alone', async () => {
      for (const path of ['/', '/orders/7', '/desk/orders']) {
        const { answer } = await world.browser().tab().open(path)
        expect([path, answer.status, answer.headers['content-type']]).toEqual([
          path,
          200,
          expect.stringMatching(/^text\/html/),
        ])
      }
    })

    test('has its helper, its pages and their links beneath the path', async () => {
      const tab = world.browser().tab()
      const helper = await tab.fetch('/client.js')
      expect([helper.status, helper.headers['content-type']]).toEqual([
        200,
        expect.stringMatching(/javascript/),
      ])
      const page = (await tab.open('/callback?state=nobody&code=x')).answer
      expectPage(page, 400, 'login_state_invalid')
      const links = [...page.text().matchAll(/(?:href|action)="(\/[^"]*)"/g)].map(([, link]) => link)
      expect(links.length).toBeGreaterThan(0)
      for (const link of links) expect(link).toMatch(/^\/desk(\/|$)/)
    })

    test('tells the API where it stands, and hands on no cookie of any frontend', async () => {
      const browser = world.browser()
      const tab = await world.signIn(browser)
      for (const name of ['__Host-Http-coatcheck-above', '__Host-Http-coatcheck-below-login-abc', 'theme']) {
        if (isSecond) browser.cookies.plant(world.baseUrl, `${name}=x; Path=/; Secure; HttpOnly`)
      }
      expect((await tab.fetch('/api/seen')).status).toBe(200)
      const arrived = world.api.requests.findLast(({ target }) => target === '/seen')
      expect(arrived?.headers['x-forwarded-prefix']).toBe('/desk/api')
      expect(arrived?.headers.cookie).toBeUndefined()
    })

    test('has cookies for the whole host, as their prefix demands', async () => {
      const browser = world.browser()
      await world.signIn(browser)
      const kept = browser.cookies.list(world.baseUrl).filter(({ key }) => key.includes('coatcheck'))
      expect(kept.map(({ key, path }) => [key, path])).toEqual([[world.sessionCookieName, '/']])
      expect(browser.cookies.refused).toEqual([])
    })
  },
)
