import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { valuesOf } from '../support/api/upstream.ts'
import { eventually } from '../support/eventually.ts'
import { frontendNames, ownFetch, send, startHouse, type TestHouse } from '../support/worlds/house.ts'

let world: TestHouse

beforeAll(async () => {
  world = await startHouse()
})
afterAll(() => world.stop())

describe('three frontends in one process', () => {
  it.each(frontendNames)('%s signs in at its own provider, and its calls reach its own API', async (name) => {
    const cookie = await world.signIn(name)
    expect(cookie).toMatch(new RegExp(`^__Host-Http-coatcheck-${name}=`))
    const answer = await world.ask(name, '/api/orders?x=1', { headers: { cookie, ...ownFetch } })
    expect(answer.status).toBe(200)
    const arrived = world.upstreams[name].requests.at(-1)
    expect(arrived?.target).toBe('/orders?x=1')
    expect(arrived && valuesOf(arrived, 'x-forwarded-prefix')).toEqual([
      name === 'shop' ? '/api' : `/${name}/api`,
    ])
  })

  it('takes nothing of one frontend at another', async () => {
    const cookies = await Promise.all(frontendNames.map((name) => world.signIn(name)))
    for (const name of frontendNames) {
      for (const [at, owner] of frontendNames.entries()) {
        const cookie = cookies[at]?.replace(owner, name) ?? ''
        const answer = await world.ask(name, '/session', { headers: { cookie, ...ownFetch } })
        expect(answer.json().authenticated).toBe(name === owner)
      }
    }
  })

  it('lists them in /readyz, whatever Host says', async () => {
    await eventually(async () => {
      const answer = await send(world.port, '/readyz', { headers: { host: 'anything.example' } })
      expect(answer.json()).toMatchObject({
        ready: true,
        frontends: { shop: { ready: true }, desk: { ready: true }, till: { ready: true } },
      })
    })
    expect((await send(world.port, '/livez', { headers: { host: 'x' } })).json()).toEqual({ live: true })
  })

  it('sends nobody to a frontend that was not asked for', async () => {
    const answer = await send(world.port, '/', { headers: { host: 'nobody.example.test' } })
    expect(answer.status).toBe(421)
    expect(answer.json().code).toBe('misdirected_request')
    expect((await send(world.port, '/other', { headers: { host: 'internal.example.test' } })).status).toBe(
      421,
    )
  })

  it('lets no API set the cookies of another frontend, whatever its route allows', async () => {
    const foreign = [
      'coatcheck-desk',
      'coatcheck-desk-login-1',
      'coatcheck-desk-logout-1',
      'own-device',
      'own',
    ]
    const names = [...foreign, ...foreign.map((name) => `__Host-${name}`), '__Host-Http-COATCHECK-DESK']
    const { origin } = world.upstreams.shop
    const route = { prefix: '/api', upstream: origin, allowSetCookies: [...names, 'theme'], auth: 'none' }
    await world.reload({ shop: { API_URL: undefined, routes: [route] }, till: { COOKIE_NAME: 'own' } })
    world.upstreams.shop.on('/bakes', (response) => {
      const cookies = [...names, 'theme'].map((name) => `${name}=baked; Path=/; Secure`)
      response.writeHead(200, { 'set-cookie': cookies }).end()
    })
    const { setCookies } = await world.ask('shop', '/api/bakes', { headers: ownFetch })
    expect(setCookies.map((each) => each.split('=', 1)[0])).toEqual(['theme'])
  })
})
