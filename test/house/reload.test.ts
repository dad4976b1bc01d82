import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/config/config-error.ts'
import { valuesOf } from '../support/api/upstream.ts'
import { eventually } from '../support/eventually.ts'
import { ownFetch, startHouse, type TestHouse } from '../support/worlds/house.ts'

let world: TestHouse | undefined
afterEach(() => world?.stop())

async function start(...options: Parameters<typeof startHouse>): Promise<TestHouse> {
  world = await startHouse(...options)
  return world
}

/** A frontend whose own API hears the subject in this header. */
const writing = (house: TestHouse, name: 'shop' | 'till', header: string) => ({
  API_URL: undefined,
  routes: [{ prefix: '/api', upstream: house.upstreams[name].origin, identityHeaders: { [header]: 'sub' } }],
})

const call = (house: TestHouse, name: 'shop' | 'desk' | 'till', cookie: string) =>
  house.ask(name, '/api/x', { headers: { cookie, ...ownFetch } })

describe('frontends that are read again', () => {
  it('replace what changed, drain what is gone, leave alone what is as it was, and end no session', async () => {
    const house = await start()
    const [shop, desk, till] = [
      await house.signIn('shop'),
      await house.signIn('desk'),
      await house.signIn('till'),
    ]
    const looks = () => house.providers.shop.count('/.well-known/openid-configuration')
    const before = looks()
    // A call that is under way, and an event stream, at what will be gone.
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    house.upstreams.till.on('/slow', async (response) => {
      await held
      response.end('done')
    })
    const slow = house.ask('till', '/api/slow', { headers: { cookie: till, ...ownFetch } })
    await eventually(() => expect(house.upstreams.till.requests.length).toBe(1))
    const next = await house.write({ till: undefined, desk: { AUTH_PREFIX: '/auth' } })
    const reloaded = house.house.reload(next)
    expect((await call(house, 'till', till)).status).toBe(421)
    release()
    expect((await slow).body).toBe('done')
    await reloaded
    expect((await call(house, 'shop', shop)).status).toBe(200)
    expect(looks()).toBe(before)
    expect((await house.ask('desk', '/session', { headers: { cookie: desk, ...ownFetch } })).status).toBe(404)
    const answer = await house.ask('desk', '/auth/session', { headers: { cookie: desk, ...ownFetch } })
    expect(answer.json()).toMatchObject({ authenticated: true, loginUrl: '/desk/auth/login' })
  })

  it('stay as they are when the file is faulty', async () => {
    const house = await start()
    await expect(house.write({ desk: { COLOUR: 'red' } })).rejects.toThrow(ConfigError)
    const cookie = await house.signIn('desk')
    expect((await call(house, 'desk', cookie)).status).toBe(200)
  })

  it('keep the cookies of a frontend that is gone from every API', async () => {
    const routes = [
      {
        prefix: '/api',
        upstream: 'http://127.0.0.1:1',
        forwardCookies: ['coatcheck-till', 'gone', 'theme'],
        auth: 'none',
      },
    ]
    const house = await start({ changes: { till: { COOKIE_NAME: 'gone' } } })
    const { origin } = house.upstreams.shop
    const shop = { API_URL: undefined, routes: routes.map((route) => ({ ...route, upstream: origin })) }
    await house.house.reload(await house.write({ till: undefined, shop }))
    const cookie = 'gone=1; __Host-Http-gone-login-12345678=2; theme=dark'
    await house.ask('shop', '/api/x', { headers: { cookie, ...ownFetch } })
    const arrived = house.upstreams.shop.requests.at(-1)
    expect(arrived && valuesOf(arrived, 'cookie')).toEqual(['theme=dark'])
  })

  it('take the headers that any route of the process writes from the browsers of all, from the moment the file says so', async () => {
    const house = await start()
    await house.reload({ shop: writing(house, 'shop', 'X-Shop'), till: writing(house, 'till', 'X-Till') })
    const [desk, till] = [await house.signIn('desk'), await house.signIn('till')]
    const forged = { 'X-Shop': 'a', x_shop: 'b', 'X-Till': 'c', 'x-desk_team': 'd', 'X-Free': 'e' }
    const arrived = async (name: 'desk' | 'till', cookie: string) => {
      await house.ask(name, '/api/x', { headers: { cookie, ...ownFetch, ...forged } })
      const request = house.upstreams[name].requests.at(-1)
      return request?.headers.filter(([each]) => /^x.(?:shop|till|desk|free)/i.test(each)) ?? []
    }
    expect(await arrived('desk', desk)).toEqual([
      ['x-desk_team', 'd'],
      ['X-Free', 'e'],
    ])
    // Its own it still gets, from the verified identity.
    expect(await arrived('till', till)).toContainEqual(['X-Till', 'alice'])
    // Desk itself is untouched: it must learn of the name that came, and of the one that is gone.
    await house.reload({ shop: writing(house, 'shop', 'X-Desk-Team') })
    expect(await arrived('desk', desk)).toEqual([
      ['X-Shop', 'a'],
      ['x_shop', 'b'],
      ['X-Till', 'c'],
      ['X-Free', 'e'],
    ])
  })

  it('cut off who has not finished within SHUTDOWN_GRACE', async () => {
    const house = await start({ env: { SHUTDOWN_GRACE: '1' } })
    const till = await house.signIn('till')
    house.upstreams.till.on('/never', () => undefined)
    const never = house.ask('till', '/api/never', { headers: { cookie: till, ...ownFetch } })
    await eventually(() => expect(house.upstreams.till.requests.length).toBe(1))
    const reloaded = house.house.reload(await house.write({ till: undefined }))
    await expect(never).rejects.toThrow()
    await reloaded
  })
})

it('takes a frontend down when nobody needs it, and puts it together again for the next', async () => {
  const house = await start({ idleMs: 300 })
  const cookie = await house.signIn('shop')
  const looks = () => house.providers.shop.count('/.well-known/openid-configuration')
  const before = looks()
  expect((await call(house, 'shop', cookie)).status).toBe(200)
  expect(looks()).toBe(before)
  await eventually(async () => {
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect((await call(house, 'shop', cookie)).status).toBe(200)
    expect(looks()).toBeGreaterThan(before)
  })
})

it('builds nothing for probes, for hosts of nobody, and for requests that are refused as they stand', async () => {
  const house = await start()
  const looks = () => house.providers.shop.count('/.well-known/openid-configuration')
  await eventually(async () => {
    const { status } = await house.ask('shop', '/', { headers: { host: 'x' } })
    expect(status).toBe(421)
    expect(looks()).toBe(1)
  })
  await house.ask('shop', '/x', { headers: { host: 'shop.example.test.' } })
  await new Promise<void>((resolve) => {
    const socket = connect(house.port, '127.0.0.1', () => {
      socket.end('GET https://shop.example.test/ HTTP/1.1\r\nhost: shop.example.test\r\n\r\n')
    })
    socket.resume().once('close', () => resolve())
  })
  expect(looks()).toBe(1)
})
