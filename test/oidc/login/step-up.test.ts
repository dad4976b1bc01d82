import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { GatewayError } from '../../../src/errors/gateway-error.ts'
import { openProvider } from '../../support/provider/scripted-login.ts'
import {
  expectRefusedLogin,
  type FaultWorld,
  sessionCookieOf,
  startFaultWorld,
} from '../../support/worlds/fault-world.ts'

let world: FaultWorld

beforeAll(async () => {
  world = await startFaultWorld()
})
afterAll(() => world.stop())
afterEach(() => world.heal())

type Claims = (nowSeconds: number) => Readonly<Record<string, unknown>>

const logIn = (path: string, claims: Claims) => {
  world.provider.faults.idToken = (all) => Object.assign(all, claims(Number(all.iat)))
  return world.logIn(undefined, path)
}

it.each<readonly [string, string, Claims]>([
  ['max_age=60 and a sign-in of two minutes ago', '?max_age=60', (now) => ({ auth_time: now - 120 })],
  ['max_age=60 and no word about the sign-in', '?max_age=60', () => ({})],
  ['max_age=60 and a sign-in that is no time', '?max_age=60', () => ({ auth_time: Number.NaN })],
  ['max_age=60 and a sign-in of tomorrow', '?max_age=60', (now) => ({ auth_time: now + 86_400 })],
  ['max_age=0 and a sign-in of a minute ago', '?max_age=0', (now) => ({ auth_time: now - 60 })],
  ['acr_values=gold and no acr', '?acr_values=gold', () => ({})],
  ['acr_values=gold and silver', '?acr_values=gold', () => ({ acr: 'silver' })],
  ['acr_values=gold and gold in an array', '?acr_values=gold', () => ({ acr: ['gold'] })],
  ['acr_values=gold and golden', '?acr_values=gold', () => ({ acr: 'golden' })],
  ['acr_values=gold and both, as one text', '?acr_values=gold%20silver', () => ({ acr: 'gold silver' })],
  ['both asked and one given', '?acr_values=gold&max_age=60', () => ({ acr: 'gold' })],
])('a login with %s is refused, and the older session stays', async (_name, query, claims) => {
  const cookie = await world.signIn()
  expectRefusedLogin(await logIn(`/login${query}`, claims), 'login_refused')
  expect(await world.isSignedIn(cookie)).toBe(true)
})

it.each<readonly [string, string, Claims]>([
  ['max_age=60 and a sign-in of 70 s ago, for the clocks', '?max_age=60', (now) => ({ auth_time: now - 70 })],
  ['max_age=60 and a sign-in in 25 s, for the clocks', '?max_age=60', (now) => ({ auth_time: now + 25 })],
  ['max_age=0 and a sign-in of now', '?max_age=0', (now) => ({ auth_time: now })],
  ['acr_values=gold and gold', '?acr_values=gold', () => ({ acr: 'gold' })],
  ['acr_values of two and the second', '?acr_values=gold%20silver', () => ({ acr: 'silver' })],
  ['nothing asked and an old sign-in', '', () => ({ auth_time: 1 })],
])('a login with %s is accepted', async (_name, query, claims) => {
  expect(sessionCookieOf(await logIn(`/login${query}`, claims))).toBeDefined()
})

it('an unmet claims demand is logged by its name; only what it says of the sign-in by its value', async () => {
  const provider = openProvider(world.provider)
  const refused = async (claims: object) => {
    const demand = { claims: JSON.stringify({ id_token: claims }) }
    const { url, transaction } = await provider.beginLogin({
      returnTo: '/',
      parameters: {},
      endsSession: undefined,
      stepUp: demand,
    })
    const query = world.provider.approve(url)
    return provider.completeLogin(query, transaction).then(undefined, (error: GatewayError) => error.context)
  }
  world.provider.faults.idToken = (all) => Object.assign(all, { email: 'alice@example.test', acr: 'silver' })
  try {
    expect(await refused({ email: { value: 'bob@example.test' } })).toEqual({
      reason: 'ID_TOKEN_REFUSED',
      check: 'id_token.email',
    })
    expect(await refused({ acr: { value: 'gold' } })).toMatchObject({ expected: 'gold', received: 'silver' })
  } finally {
    await provider.close()
  }
})
