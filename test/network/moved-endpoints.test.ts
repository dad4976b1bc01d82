import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { type FaultWorld, sessionCookieOf, startFaultWorld } from '../support/worlds/fault-world.ts'

let world: FaultWorld
beforeAll(async () => {
  world = await startFaultWorld()
})
afterAll(() => world.stop())
afterEach(() => world.heal())

/** The provider's old token endpoint is gone; its metadata name another one. */
function moveTokenEndpoint(): void {
  world.provider.faults.discovery = (metadata) => ({
    ...metadata,
    token_endpoint: `${world.provider.issuer}/oauth/token`,
  })
  world.provider.faults.token = (answer) =>
    world.provider.requests.at(-1)?.path === '/token'
      ? { status: 404, body: '<html>Not found', headers: { 'content-type': 'text/html' } }
      : { body: answer }
}

it('a login follows a token endpoint that has moved, and the provider is asked once more what it has', async () => {
  const before = world.provider.count('/.well-known/openid-configuration')
  moveTokenEndpoint()
  expect(sessionCookieOf(await world.logIn())).toBeDefined()
  expect(sessionCookieOf(await world.logIn())).toBeDefined()
  expect(world.provider.count('/.well-known/openid-configuration')).toBe(before + 1)
  expect(world.provider.requests.filter(({ path }) => path === '/token')).toHaveLength(1)
})

it('an endpoint that is gone for good makes no storm of requests for the metadata', async () => {
  world.advance(60_000)
  const before = world.provider.count('/.well-known/openid-configuration')
  world.provider.faults.token = () => ({ status: 404, body: '' })
  for (let round = 0; round < 5; round += 1) expect((await world.logIn()).status).toBe(502)
  expect(world.provider.count('/.well-known/openid-configuration')).toBe(before + 1)
})

it('an outage is said once, with host and reason, and its end once', async () => {
  const said = (text: string) => world.log().split(text).length - 1
  world.provider.faults.token = () => ({ status: 503, body: '' })
  for (let round = 0; round < 3; round += 1) expect((await world.logIn()).status).toBe(503)
  expect(said('the identity provider does not answer')).toBe(1)
  expect(world.log()).toContain('"reason":"status_503"')
  delete world.provider.faults.token
  for (let round = 0; round < 2; round += 1) expect((await world.logIn()).status).toBe(303)
  expect(said('the identity provider answers again')).toBe(1)
})
