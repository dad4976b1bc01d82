import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

let world: FaultWorld
beforeAll(async () => {
  world = await startFaultWorld()
})
afterAll(() => world.stop())

it('a refresh that the provider wants the user for is answered with the sealed way to that sign-in', async () => {
  const cookie = await world.signIn()
  const claims = '{"id_token":{"acr":{"essential":true,"value":"mfa"}}}'
  world.provider.faults.token = () => ({ status: 400, body: { error: 'interaction_required', claims } })
  world.advance(700_000)
  const answer = await world.refresh(cookie)
  expect(answer.status).toBe(401)
  const { code, loginUrl } = answer.json<{ code: string; loginUrl: string }>()
  expect(code).toBe('step_up_required')
  const query = new URL(loginUrl, 'https://app.example.test').searchParams
  expect(query.get('stepUp')).toMatch(/^[\w-]{40,}$/)
  const login = await world.request('GET', loginUrl, { cookie })
  expect(new URL(login.headers.location ?? '').searchParams.get('claims')).toBe(claims)
})
