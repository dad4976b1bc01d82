import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { type FaultWorld, sessionCookieOf, startFaultWorld } from '../support/worlds/fault-world.ts'

let world: FaultWorld
beforeAll(async () => {
  world = await startFaultWorld()
})
afterAll(() => world.stop())

const linesOf = (...levels: readonly string[]) =>
  world
    .log()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    .filter(({ msg, level }) => levels.includes(String(level)) && /identity provider/.test(String(msg)))
    .map(({ msg }) => String(msg))

it('one line begins an outage and one ends it, whatever the connections fail of and whoever asks', async () => {
  const cookie = await world.signIn()
  world.advance(700_000)
  world.heal()
  const { faults } = world.provider
  let turn = 0
  // Now a dropped connection, now a 503; an endpoint that is not there makes the gateway look at the metadata too.
  const fails = () => {
    turn += 1
    return turn % 2 === 0
      ? { status: 503, body: '' }
      : { send: (response: { destroy(): void }) => void response.destroy() }
  }
  faults.token = fails
  faults.discoveryAnswer = fails
  for (let round = 0; round < 4; round += 1) {
    expect((await world.refresh(cookie)).status).toBe(503)
    world.advance(61_000)
  }
  expect(linesOf('warn', 'error').filter((msg) => !/not refreshed|refresh/.test(msg))).toEqual([
    'the identity provider does not answer; this is said once, coatcheck doctor says more',
  ])
  expect(await world.isSignedIn(cookie)).toBe(true)
  Reflect.deleteProperty(faults, 'token')
  Reflect.deleteProperty(faults, 'discoveryAnswer')
  await eventually(async () => {
    world.advance(61_000)
    expect((await world.refresh(cookie)).status).toBe(200)
  })
  expect(linesOf('info')).toEqual(['the identity provider answers again'])
})

it('metadata of another issuer are refused, and what was known before goes on', async () => {
  world.heal()
  world.advance(60_000)
  const { provider } = world
  provider.faults.discovery = (metadata) => ({
    ...metadata,
    issuer: 'https://evil.example',
    token_endpoint: `${provider.issuer}/elsewhere`,
  })
  provider.faults.token = (answer) =>
    provider.requests.at(-1)?.path === '/elsewhere' ? { body: answer } : { status: 404, body: '' }
  expect((await world.logIn()).status).toBe(502)
  expect(provider.count('/elsewhere')).toBe(0)
  expect(linesOf('warn')).toContain('the identity provider cannot be discovered')
  world.heal()
  expect(sessionCookieOf(await world.logIn())).toBeDefined()
})
