import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

let world: FaultWorld
beforeAll(async () => {
  world = await startFaultWorld({
    AUTHORIZATION_PARAMETERS: 'access_type=offline&organization=o-1',
    TOKEN_PARAMETERS: 'tenant=t-1',
  })
})
afterAll(() => world?.stop())

test('AUTHORIZATION_PARAMETERS are in the authorization request and in no other', async () => {
  const { headers } = await world.request('GET', '/login')
  const asked = new URL(headers.location ?? '').searchParams
  expect([asked.get('access_type'), asked.get('organization'), asked.get('tenant')]).toEqual([
    'offline',
    'o-1',
    null,
  ])
})

test('TOKEN_PARAMETERS are in the exchange of the code and in each refresh', async () => {
  const cookie = await world.signIn()
  world.advance(700_000)
  await world.refresh(cookie)
  const grants = world.provider.requests
    .filter(({ path, method }) => path === '/token' && method === 'POST')
    .map(({ form }) => [form.get('grant_type'), form.get('tenant'), form.get('access_type')])
  expect(grants).toContainEqual(['authorization_code', 't-1', null])
  expect(grants).toContainEqual(['refresh_token', 't-1', null])
})
