import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { loadHouse } from '../../src/config/frontends/load-house.ts'
import { valuesOf } from '../support/api/upstream.ts'
import {
  frontendUrls,
  type HouseAnswer,
  type HouseRequest,
  ownFetch,
  send,
  startHouse,
  type TestHouse,
} from '../support/worlds/house.ts'

let world: TestHouse
afterEach(() => world.stop())

/** Takes the file that these changes of it make, whatever frontends are called in it. */
async function rewrite(change: (frontends: Record<string, Record<string, unknown>>) => void): Promise<void> {
  const file = join(world.folder, 'frontends.json')
  const document = JSON.parse(await readFile(file, 'utf8'))
  change(document.frontends)
  await writeFile(file, JSON.stringify(document))
  await world.house.reload(loadHouse(world.env))
}

/** Asks at an address, whoever has it. */
function askAt(baseUrl: string, path: string, request: HouseRequest = {}): Promise<HouseAnswer> {
  const { host, pathname } = new URL(baseUrl)
  const headers = { host, ...request.headers }
  return send(world.port, `${pathname === '/' ? '' : pathname}${path}`, { ...request, headers })
}

const isSignedIn = async (baseUrl: string, cookie: string): Promise<unknown> =>
  (await askAt(baseUrl, '/session', { headers: { cookie, ...ownFetch } })).json().authenticated

async function beginLogin(name: 'shop' | 'desk') {
  const begun = await world.ask(name, '/login')
  const query = world.providers[name].approve(new URL(begun.headers.location ?? ''))
  return { query, cookie: begun.setCookies.map((each) => each.split(';', 1)[0]).join('; ') }
}

describe('frontends whose addresses are swapped while logins are under way', () => {
  it('let no login end at the other one, and keep their own sessions', async () => {
    world = await startHouse()
    const [shop, desk] = [await world.signIn('shop'), await world.signIn('desk')]
    const logins = { shop: await beginLogin('shop'), desk: await beginLogin('desk') }
    await world.reload({ shop: { BASE_URL: frontendUrls.desk }, desk: { BASE_URL: frontendUrls.shop } })
    for (const [name, other] of [
      ['shop', 'desk'],
      ['desk', 'shop'],
    ] as const) {
      const { query, cookie } = logins[name]
      // As the browser comes back, and with the cookie under the name of who is there now.
      for (const sent of [cookie, cookie.replace(`-${name}-`, `-${other}-`)]) {
        const answer = await askAt(frontendUrls[name], `/callback?${query}`, { headers: { cookie: sent } })
        expect(answer.status).toBe(400)
        expect(answer.setCookies.filter((each) => !each.includes('-login-'))).toEqual([])
      }
    }
    for (const [name, cookie] of [
      ['shop', shop],
      ['desk', desk],
    ] as const) {
      const other = name === 'shop' ? 'desk' : 'shop'
      expect(await isSignedIn(frontendUrls[name], cookie)).toBe(false)
      expect(await isSignedIn(frontendUrls[name], cookie.replace(`-${name}=`, `-${other}=`))).toBe(false)
      expect(await isSignedIn(frontendUrls[other], cookie)).toBe(true)
    }
  })
})

describe('a frontend that gets another name', () => {
  it('begins anew: nothing of the old name is known to it, and nothing of it reaches an API', async () => {
    world = await startHouse()
    const cookie = await world.signIn('desk')
    const login = await beginLogin('desk')
    const { origin } = world.upstreams.desk
    const route = {
      prefix: '/api',
      upstream: origin,
      auth: 'none',
      forwardCookies: ['__Host-Http-coatcheck-desk', 'theme'],
    }
    await rewrite((frontends) => {
      const { desk = {} } = frontends
      Reflect.deleteProperty(frontends, 'desk')
      Reflect.deleteProperty(desk, 'API_URL')
      frontends.bench = { ...desk, routes: [route] }
    })
    const renamed = (text: string): string => text.replace(/-desk([=-])/g, '-bench$1')
    expect(await isSignedIn(frontendUrls.desk, cookie)).toBe(false)
    expect(await isSignedIn(frontendUrls.desk, renamed(cookie))).toBe(false)
    for (const sent of [login.cookie, renamed(login.cookie)]) {
      const answer = await askAt(frontendUrls.desk, `/callback?${login.query}`, { headers: { cookie: sent } })
      expect(answer.status).toBe(400)
    }
    await askAt(frontendUrls.desk, '/api/x', { headers: { cookie: `${cookie}; theme=dark`, ...ownFetch } })
    const arrived = world.upstreams.desk.requests.at(-1)
    expect(arrived && valuesOf(arrived, 'cookie')).toEqual(['theme=dark'])
  })
})

describe('a login whose frontend is gone, and there again', () => {
  it('ends nowhere meanwhile, and in order afterwards', async () => {
    world = await startHouse()
    const { query, cookie } = await beginLogin('desk')
    await world.reload({ desk: undefined })
    expect((await world.ask('desk', `/callback?${query}`, { headers: { cookie } })).status).toBe(421)
    await world.reload({})
    const answer = await world.ask('desk', `/callback?${query}`, { headers: { cookie } })
    expect(answer.status).toBe(303)
    const session = answer.setCookies.find((each) => !each.includes('-login-'))?.split(';', 1)[0] ?? ''
    expect(await isSignedIn(frontendUrls.desk, session)).toBe(true)
  })
})
