import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { openSessions } from '../../src/commands/open-sessions.ts'
import { loadHouse } from '../../src/config/frontends/load-house.ts'
import { valuesOf } from '../support/api/upstream.ts'
import { type RedisServer, startRedis } from '../support/redis/redis.ts'
import {
  type FrontendName,
  frontendNames,
  ownFetch,
  startHouse,
  type TestHouse,
} from '../support/worlds/house.ts'

/** Steps that are tried; `ISOLATION_STEPS=1000` for the long run. */
const steps = Number(process.env.ISOLATION_STEPS ?? 40)
const seed = inject('seed')

/** The session at each provider that logins belong to; the same in all of them, until one is logged out. */
const sids: Record<FrontendName, string> = { shop: 'sid-0', desk: 'sid-0', till: 'sid-0' }

let redis: RedisServer
let world: TestHouse
beforeAll(async () => {
  redis = await startRedis()
  // One secret for all: only the name is left to tell them apart.
  world = await startHouse({ nodes: 2, env: { REDIS_URL: redis.url, RATE_LIMIT: 'off' } })
  for (const name of frontendNames) {
    world.providers[name].faults.idToken = (claims) => {
      claims.sid = sids[name]
    }
  }
})
afterAll(async () => {
  await world.stop()
  await redis.stop()
})

/** A session, and whether it should be there. */
interface Held {
  readonly frontend: FrontendName
  readonly cookie: string
  alive: boolean
}

/** Numbers from 0 to below 1 that depend on the seed alone (mulberry32). */
function randomFrom(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A busy machine may keep Redis from answering in time; that is said, and is no answer of anybody. */
const ask: TestHouse['ask'] = async (...request) => {
  for (;;) {
    const answer = await world.ask(...request)
    if (answer.status !== 503) return answer
  }
}

it(`nothing of one frontend ever answers at another (seed ${seed})`, async () => {
  const random = randomFrom(seed)
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item
  const held: Held[] = []
  /** What each frontend was rotated to; every secret that sealed a session stays. */
  const secrets: Partial<Record<FrontendName, string>> = {}
  let step = 0
  const headersOf = ({ cookie }: Held) => ({ cookie, ...ownFetch })
  const node = () => Math.floor(random() * 2)

  /** The cookie, under each frontend's name, at every other frontend: as a session, a call, a logout, in a list. */
  async function tryElsewhere(one: Held): Promise<void> {
    for (const other of frontendNames.filter((name) => name !== one.frontend)) {
      const cookie = `${one.cookie}; ${one.cookie.replace(`-${one.frontend}=`, `-${other}=`)}`
      const headers = { cookie, ...ownFetch }
      const arrived = world.upstreams[other].requests.length
      expect((await ask(other, '/session', { headers, node: node() })).json().authenticated).toBe(false)
      expect((await ask(other, '/api/x', { headers, node: node() })).status).toBe(401)
      expect(world.upstreams[other].requests.length).toBe(arrived)
      await ask(other, '/logout', { method: 'POST', headers, node: node() })
    }
  }

  const operations: Record<string, (name: FrontendName, one: Held | undefined) => Promise<void>> = {
    async login(frontend) {
      held.push({ frontend, cookie: await world.signIn(frontend, node()), alive: true })
    },
    async call(frontend, one) {
      if (one === undefined) return
      const answer = await ask(frontend, '/api/x', { headers: headersOf(one), node: node() })
      expect(answer.status).toBe(one.alive ? 200 : 401)
      if (!one.alive) return
      const arrived = world.upstreams[frontend].requests.at(-1)
      const token =
        arrived === undefined ? '' : (valuesOf(arrived, 'authorization')[0]?.slice('Bearer '.length) ?? '')
      expect(world.providers[frontend].issued).toContain(token)
    },
    async refresh(frontend, one) {
      if (one === undefined) return
      const headers = headersOf(one)
      const answer = await ask(frontend, '/session/refresh', { method: 'POST', headers, node: node() })
      expect(answer.json().authenticated).toBe(one.alive)
    },
    async logout(frontend, one) {
      if (one === undefined) return
      await ask(frontend, '/logout', { method: 'POST', headers: headersOf(one), node: node() })
      one.alive = false
    },
    async backchannel(frontend) {
      const token = await world.providers[frontend].logoutToken({ sid: sids[frontend] })
      sids[frontend] = `sid-${step}`
      const post = (name: FrontendName) =>
        ask(name, '/backchannel-logout', {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: `logout_token=${token}`,
          node: node(),
        })
      for (const other of frontendNames) {
        const { status } = await post(other)
        expect(status).toBe(other === frontend ? 200 : 400)
      }
      for (const one of held) if (one.frontend === frontend) one.alive = false
    },
    async operator(frontend) {
      const config = loadHouse(world.env).frontends.find(({ name }) => name === frontend)?.config
      if (config === undefined) throw new Error('no such frontend')
      const opened = await openSessions(config, () => undefined)
      await opened.sessions.revoke({ kind: 'all' })
      await opened.close()
      for (const one of held) if (one.frontend === frontend) one.alive = false
    },
    async rotation(frontend) {
      const fresh = `${random().toString(36).slice(2)}-another-secret-of-one-frontend-0123456789`
      secrets[frontend] = `${fresh},${secrets[frontend] ?? world.env.SESSION_SECRET}`
      const changes = frontendNames.map((name) => [name, { SESSION_SECRET: secrets[name] }])
      await world.reload(Object.fromEntries(changes))
    },
  }
  const names = [
    'login',
    'login',
    'login',
    'call',
    'call',
    'call',
    'refresh',
    'logout',
    'backchannel',
    'operator',
  ]
  for (step = 1; step <= steps; step++) {
    const frontend = pick(frontendNames)
    const own = held.filter((one) => one.frontend === frontend)
    const name = step % 20 === 0 ? 'rotation' : pick(names)
    await operations[name]?.(frontend, own.length === 0 ? undefined : pick(own))
    if (held.length > 0) await tryElsewhere(pick(held))
  }
  for (const one of held) {
    const answer = await ask(one.frontend, '/session', { headers: headersOf(one) })
    expect(answer.json().authenticated).toBe(one.alive)
  }
}, 600_000)

it('a transaction, a form proof and a public id of one frontend are nothing at another', async () => {
  const begun = await world.ask('desk', '/login')
  const query = world.providers.desk.approve(new URL(begun.headers.location ?? ''))
  const [pair = ''] = begun.setCookies.map((each) => each.split(';', 1)[0] ?? '')
  for (const other of ['shop', 'till'] as const) {
    const cookie = `${pair}; ${pair.replace('-desk-', `-${other}-`)}`
    const refused = await world.ask(other, `/callback?${query}`, { headers: { cookie } })
    expect(refused.status).toBe(400)
    expect(refused.json().code).toBe('login_state_invalid')
  }
  const [desk, till] = [await world.signIn('desk'), await world.signIn('till')]
  const list = await world.ask('desk', '/sessions', { headers: { cookie: desk, ...ownFetch } })
  const [session] = list.json().sessions as { id: string }[]
  const headers = { cookie: till, ...ownFetch }
  const foreign = await world.ask('till', `/sessions/${session?.id}`, { method: 'DELETE', headers })
  expect(foreign.status).toBe(404)
  const page = await world.ask('desk', '/logout', { headers: { cookie: desk } })
  const proof = /name="proof" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
  expect(proof).not.toBe('')
  const form = { cookie: till, 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await world.ask('till', '/logout', { method: 'POST', headers: form, body: `proof=${proof}` })
  expect(answer.status).toBe(403)
  const still = await world.ask('till', '/session', { headers })
  expect(still.json().authenticated).toBe(true)
})

it('a logout token ends sessions only where it was sent, also where two frontends share provider and client', async () => {
  const { issuer, clientId, clientSecret, audience } = world.providers.desk
  const till = {
    ISSUER_URL: issuer,
    CLIENT_ID: clientId,
    CLIENT_SECRET: clientSecret,
    API_AUDIENCE: audience,
  }
  await world.reload({ till })
  const cookies = { desk: await world.signIn('desk'), till: await world.signIn('till', 0, 'desk') }
  const isThere = async (name: 'desk' | 'till') => {
    const answer = await world.ask(name, '/session', { headers: { cookie: cookies[name], ...ownFetch } })
    return answer.json().authenticated
  }
  const swapped = cookies.desk.replace('-desk=', '-till=')
  const foreign = await world.ask('till', '/session', { headers: { cookie: swapped, ...ownFetch } })
  expect(foreign.json().authenticated).toBe(false)
  const token = await world.providers.desk.logoutToken({ sid: sids.desk })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const sent = await world.ask('desk', '/backchannel-logout', {
    method: 'POST',
    headers,
    body: `logout_token=${token}`,
  })
  expect(sent.status).toBe(200)
  expect([await isThere('desk'), await isThere('till')]).toEqual([false, true])
})
