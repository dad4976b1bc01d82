import { afterEach, expect, test } from 'vitest'
import type { Browser } from '../../support/browser/browser-client.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { testClient } from '../../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

const oldSecret = 'the-old-session-secret-0123456789-0123456789'
const newSecret = 'the-new-session-secret-0123456789-0123456789'

let world: World
afterEach(() => world.stop())

async function rollOut(index: number, secrets: string): Promise<void> {
  const gateway = await world.replaceGateway(index, { SESSION_SECRET: secrets })
  await gateway.ready()
}

async function authenticated(browser: Browser): Promise<unknown> {
  return (await browser.tab().fetch('/session')).json().authenticated
}

test('SESSION_SECRET changes in two roll-outs without ending a session that is used', async () => {
  world = await startWorld({ gateways: 2, settings: { SESSION_SECRET: oldSecret } })
  const [used] = await world.signInExpired(1, { via: 'in turn' })
  if (used === undefined) throw new Error('no browser')
  const unused = world.browser({ via: 'in turn' })
  await world.signIn(unused)

  const everybodyIsIn = async (): Promise<void> => {
    for (const browser of [used, unused, used, unused]) expect(await authenticated(browser)).toBe(true)
  }
  await rollOut(0, `${oldSecret},${newSecret}`)
  await everybodyIsIn()
  await rollOut(1, `${oldSecret},${newSecret}`)
  await everybodyIsIn()
  await rollOut(0, `${newSecret},${oldSecret}`)
  await everybodyIsIn()
  // A login and a refresh on gateways of both orders, while the roll-out is under way.
  const fresh = world.browser({ via: 'in turn' })
  await world.signIn(fresh)
  expect(await authenticated(fresh)).toBe(true)
  expect(await authenticated(fresh)).toBe(true)
  await rollOut(1, `${newSecret},${oldSecret}`)
  await everybodyIsIn()
  expect((await used.tab().fetch('/api/orders')).status).toBe(200)

  await rollOut(0, newSecret)
  await rollOut(1, newSecret)
  expect((await used.tab().fetch('/api/orders')).status).toBe(200)
  expect((await used.tab().fetch('/api/orders')).status).toBe(200)
  expectProblem(await unused.tab().fetch('/api/orders'), 401, 'session_expired')
  expect(await authenticated(unused)).toBe(false)
  // The resealed session is still found by a logout at the provider.
  await used.tab().open(`${world.provider.issuer}oidc/logout?client_id=${testClient.id}`)
  expect((await used.tab().fetch('/api/orders')).status).toBe(401)
}, 120_000)
