import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { claimsParameter } from '../../../src/oidc/login/demand.ts'
import { demandsOf } from '../../../src/oidc/login/demands.ts'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

describe('what a login must come back with', () => {
  const operator = { authorizationParameters: { acr_values: 'mfa', max_age: '300' }, claims: undefined }

  it("is the operator's acr_values, whatever a link asks for, and of two max_age the smaller", () => {
    expect(demandsOf({ acr_values: 'pwd', max_age: '9999' }, operator)).toEqual({
      acrValues: 'mfa',
      maxAgeSeconds: 300,
    })
    expect(demandsOf({ max_age: '0' }, operator).maxAgeSeconds).toBe(0)
  })

  it("is the link's where the operator has fixed none, and a sealed demand's above all", () => {
    const free = { authorizationParameters: {}, claims: undefined }
    expect(demandsOf({ acr_values: 'pwd mfa' }, free).acrValues).toBe('pwd mfa')
    expect(demandsOf({ acr_values: 'pwd' }, operator, { acrValues: 'hardware' }).acrValues).toBe('hardware')
    expect(demandsOf({}, free)).toEqual({ acrValues: undefined, maxAgeSeconds: undefined })
  })

  it('is what CLAIMS asks of the ID token too', () => {
    const claims = JSON.stringify({ id_token: { acr: { essential: true, values: ['a', 'b'] } } })
    expect(demandsOf({ acr_values: 'c' }, { authorizationParameters: {}, claims }).acrValues).toBe('a b')
  })
})

describe('a sealed demand', () => {
  const operators = JSON.stringify({
    id_token: { acr: { values: ['a'] }, email: null },
    userinfo: { x: null },
  })
  const asked = (values: readonly string[]) => JSON.stringify({ id_token: { acr: { values } } })
  const free = { authorizationParameters: {}, claims: operators }

  it("takes the place of the acr that the operator's CLAIMS ask for", () => {
    const { claims = '' } = claimsParameter(operators, { acrValues: 'b' })
    expect(JSON.parse(claims)).toEqual({ id_token: { email: null }, userinfo: { x: null } })
    expect(claimsParameter(operators, { maxAge: '0' })).toEqual({ claims: operators })
  })

  it('may ask for it by its own claims', () => {
    expect(demandsOf({}, free, { claims: asked(['b']) }).acrValues).toBe('b')
    expect(demandsOf({}, free, { claims: asked(['b']), acrValues: 'c' }).acrValues).toBe('c')
  })

  it.each(['{"id_token":7}', '{"id_token":{"acr":"x"}}', '{"id_token":null}', '[]'])(
    'of %s asks for no acr',
    (claims) => {
      expect(demandsOf({}, free, { claims }).acrValues).toBe('a')
    },
  )
})

describe('what the operator has fixed', () => {
  let world: FaultWorld
  beforeAll(async () => {
    world = await startFaultWorld({
      AUTHORIZATION_PARAMETERS: 'acr_values=mfa&max_age=300',
      CLAIMS: '{"userinfo":{"roles":null}}',
    })
  })
  afterAll(() => world.stop())
  afterEach(() => world.heal())

  it('is sent, whatever the link says, and its claims with it', async () => {
    const answer = await world.request('GET', '/login?acr_values=pwd&max_age=99999')
    const { searchParams } = new URL(answer.headers.location ?? '')
    expect(searchParams.getAll('acr_values')).toEqual(['mfa'])
    expect(searchParams.getAll('max_age')).toEqual(['300'])
    expect(searchParams.get('claims')).toBe('{"userinfo":{"roles":null}}')
  })

  it.each<readonly [string, Readonly<Record<string, unknown>>]>([
    ['acr', { acr: 'pwd', auth_time: Math.floor(Date.now() / 1_000) }],
    ['auth_time', { acr: 'mfa', auth_time: Math.floor(Date.now() / 1_000) - 900 }],
    ['auth_time', { acr: 'mfa' }],
  ])(
    'is compared with the ID token: a user who took it out of the address bar is told so (%s)',
    async (check, claims) => {
      world.provider.faults.idToken = (all) => Object.assign(all, claims)
      const answer = await world.logIn()
      expect({ status: answer.status, code: answer.json().code }).toEqual({
        status: 400,
        code: 'login_refused',
      })
      expect(answer.json().detail).toContain('stronger or newer sign-in')
      expect(world.log()).toContain(`"check":"id_token.${check}"`)
    },
  )

  it('lets in who meets it', async () => {
    world.provider.faults.idToken = (all) => Object.assign(all, { acr: 'mfa', auth_time: all.iat })
    expect((await world.logIn()).status).toBe(303)
  })
})
