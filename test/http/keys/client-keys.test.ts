import { expect, it } from 'vitest'
import { buildGateway } from '../support/gateway.ts'

it('the public keys are there for everybody, and may be kept for five minutes', async () => {
  const { app, provider } = await buildGateway()
  provider.keys.push({ kty: 'EC', kid: 'a', use: 'sig' }, { kty: 'RSA', kid: 'b', use: 'enc' })
  const answer = await app.inject({ url: '/client-keys', headers: { 'sec-fetch-site': 'cross-site' } })
  expect(answer.statusCode).toBe(200)
  expect(answer.headers['cache-control']).toBe('public, max-age=300')
  expect(answer.headers['content-type']).toMatch(/^application\/jwk-set\+json/)
  expect(answer.json()).toEqual({ keys: provider.keys })
  expect((await app.inject({ method: 'POST', url: '/client-keys' })).statusCode).toBe(405)
})

it('without keys the address is not there', async () => {
  const { app } = await buildGateway()
  expect((await app.inject('/client-keys')).statusCode).toBe(404)
})
