import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/ports.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ settings: { LOG_LEVEL: 'info', SESSION_MAX_LIFETIMES: '5' } })
})
afterAll(() => world?.stop())

type Line = Readonly<Record<string, unknown>>
const lines = (): readonly Line[] => world.gateways[0]?.log() ?? []
const requestsOf = (path: string) => lines().filter((line) => line.msg === 'request' && line.path === path)

/** The one line about requests for a path. */
async function requestLine(path: string): Promise<Line> {
  await eventually(() => expect(requestsOf(path)).toHaveLength(1))
  return requestsOf(path)[0] ?? {}
}

test('all that is written is JSON, what is to be said of the settings too', async () => {
  const written = world.gateways[0]?.output().split('\n').filter(Boolean) ?? []
  for (const line of written) expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) })
  expect(lines().filter(({ level }) => level === 'warn')).toContainEqual(
    expect.objectContaining({ msg: expect.stringMatching(/^SESSION_MAX_LIFETIMES is not a setting/) }),
  )
})

test('each request is one line, and names session and user as the audit events do, by pseudonym', async () => {
  const browser = world.browser()
  const tab = await world.signIn(browser)
  await tab.fetch('/api/orders?q=not-logged')
  await tab.fetch('/session')
  await tab.submit('/logout', {})
  const begun = lines().find(({ audit }) => audit === 'login.completed')
  expect(begun).toMatchObject({ level: 'info', sessionRef: expect.stringMatching(/^[\w-]{16}$/) })
  const whose = { sessionRef: begun?.sessionRef, userRef: begun?.userRef }
  expect(await requestLine('/api/orders')).toMatchObject({
    status: 200,
    method: 'GET',
    complete: true,
    ...whose,
  })
  expect(await requestLine('/session')).toMatchObject({ status: 200, ...whose })
  expect(await requestLine('/logout')).toMatchObject({ status: 303, ...whose })
  const ended = lines().find(({ audit }) => audit === 'logout.completed')
  expect(ended).toMatchObject({ outcome: 'ended', revoked: true, ...whose })
  expect(ended?.requestId).toBe((await requestLine('/logout')).requestId)
  expect(world.gateways[0]?.output()).not.toContain('not-logged')
})

test('what has no session names none', async () => {
  await world.browser().tab().fetch('/api/anonymous')
  const line = await requestLine('/api/anonymous')
  expect(line).toMatchObject({ status: 401 })
  expect(line).not.toHaveProperty('sessionRef')
})

test('a request that its browser left is a line, too', async () => {
  const tab = await world.signIn()
  const stream = await tab.stream('/api/events')
  stream.destroy()
  expect(await requestLine('/api/events')).toMatchObject({ status: 200, complete: false })
})

test('a target that no route can have is a line, too', async () => {
  await world.browser().tab().open('/%zz')
  expect(await requestLine('/%zz')).toMatchObject({ status: 400, complete: true })
})

test('a user who ends sessions from the list is audited', async () => {
  const tab = await world.signIn()
  await tab.fetch('/sessions', { method: 'DELETE' })
  await eventually(() =>
    expect(lines().find(({ audit }) => audit === 'session.ended')).toMatchObject({
      reason: 'ended_all',
      revoked: true,
      count: expect.any(Number),
      requestId: expect.any(String),
    }),
  )
})

test('a logout token that proves nothing is audited, and why', async () => {
  const port = world.gateways[0]?.port ?? (await freePort())
  const answer = await fetch(`http://127.0.0.1:${port}/backchannel-logout`, {
    method: 'POST',
    body: new URLSearchParams({ logout_token: 'a.b.c' }),
  })
  expect(answer.status).toBe(400)
  await eventually(() =>
    expect(
      lines().find(({ audit, outcome }) => audit === 'logout.backchannel' && outcome === 'invalid'),
    ).toMatchObject({
      code: 'request_invalid',
      reason: expect.stringMatching(/\w/),
    }),
  )
})
