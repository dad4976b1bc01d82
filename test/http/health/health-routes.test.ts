import { afterEach, beforeEach, expect, it } from 'vitest'
import { buildGateway, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeEach(async () => {
  gateway = await buildGateway({ authPrefix: '/auth' })
})
afterEach(() => gateway.app.close())
const get = async (url: string) => {
  const answer = await gateway.app.inject({ url })
  return { status: answer.statusCode, ...answer.json() }
}

it('readyz is ready once provider and store answer, at the same address under any AUTH_PREFIX', async () => {
  expect(await get('/readyz')).toMatchObject({ status: 200, ready: true })
})

it.each([
  ['the provider was never discovered', () => (gateway.provider.ready = false), 'provider'],
  ['the store does not answer', () => (gateway.store.answers = false), 'store'],
  ['the store says that it is not ready', () => (gateway.store.ready = false), 'store'],
  ['the process is draining', () => (gateway.process.isDraining = true), 'process'],
])('readyz is 503 with a reason while %s', async (_what, arrange, check) => {
  arrange()
  const answer = await get('/readyz')
  expect(answer.status).toBe(503)
  expect(answer.checks[check]).toMatchObject({ ready: false, reason: expect.stringMatching(/\w/) })
  expect(await get('/livez')).toMatchObject({ status: 200 })
})

it('readyz?for=traffic forgives a store outage, but only after the store has answered once', async () => {
  gateway.store.answers = false
  expect(await get('/readyz?for=traffic')).toMatchObject({ status: 503 })
  gateway.store.answers = true
  await get('/readyz')
  gateway.store.answers = false
  expect(await get('/readyz?for=traffic')).toMatchObject({ status: 200, checks: { store: { ready: false } } })
  expect(await get('/readyz')).toMatchObject({ status: 503 })
  gateway.process.isDraining = true
  expect(await get('/readyz?for=traffic')).toMatchObject({ status: 503 })
})

it('probes never see what a client asked for beside the question', async () => {
  expect(await get('/readyz?for=a&for=b')).toMatchObject({ status: 400, code: 'request_invalid' })
})
