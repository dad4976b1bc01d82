import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashSessionId } from '../../src/session/record/keys.ts'
import { createStoreKeys } from '../../src/session/store/keys.ts'
import { eventually } from './eventually.ts'
import { fromOurPage } from './revocation.ts'
import type { ScriptedPair, Side } from './worlds/scripted-pair.ts'

/** Pseudo-random numbers of a seed, below 1 (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The gateways stop trusting what they heard within this; milliseconds. */
const hearsWithinMs = 250
const betweenCallsMs = 15

/**
 * Two gateways, users who sign in, call and sign out in every way there is, and an outside force that freezes and kills what it can reach.
 * The provider's tokens live for seconds, so that refreshes happen all the time.
 */
export class Chaos {
  readonly #pair: ScriptedPair
  readonly #random: () => number
  readonly faults: string[] = []
  readonly counts = { calls: 0, unavailable: 0, ended: 0, blows: 0 }
  #isOver = false
  #signIns: Promise<unknown> = Promise.resolve()

  constructor(pair: ScriptedPair, seed: number) {
    this.#pair = pair
    this.#random = randomOf(seed)
    // Sent for five seconds, then refreshed; a token is not asked for again sooner.
    pair.provider.faults.token = (answer) => ({ body: { ...answer, expires_in: 12 } })
  }

  /** @returns what went wrong, nothing if all is well */
  async run(users: number, forMs: number): Promise<readonly string[]> {
    const lanes = Array.from({ length: users }, (_, at) => this.#user(at))
    const blows = this.#strike()
    await sleep(forMs)
    this.#isOver = true
    await blows
    await Promise.all(lanes)
    this.#checkRefreshTokens()
    return this.faults
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  async #strike(): Promise<void> {
    const { redis, gates, gateways } = this.#pair
    const briefly = async (freeze: () => void, thaw: () => void, mostMs: number): Promise<void> => {
      freeze()
      await sleep(this.#below(mostMs)).finally(thaw)
    }
    const blows: readonly (() => unknown)[] = [
      () => briefly(redis.freeze, redis.thaw, 1_500),
      () => redis.restart(),
      () => gates[this.#below(2)]?.cut(),
      () => gates[this.#below(2)]?.feed.cut(),
      () => gates[this.#below(2)]?.feed.stall(),
      () => briefly(gateways[0].freeze, gateways[0].thaw, 500),
      () => briefly(gateways[1].freeze, gateways[1].thaw, 500),
    ]
    while (!this.#isOver) {
      await sleep(300 + this.#below(700))
      await blows[this.#below(blows.length)]?.()
      this.counts.blows += 1
    }
  }

  async #user(number: number): Promise<void> {
    while (!this.#isOver) {
      const sid = randomUUID()
      const cookie = await this.#signIn(sid)
      await this.#use(cookie, 500 + this.#below(6_000))
      if (this.#isOver || this.#random() < 0.2) await this.#expectAlive(cookie, number)
      await this.#end(cookie, sid)
      this.counts.ended += 1
      await sleep(hearsWithinMs)
      for (let look = 0; look < 6; look += 1) await this.#expectDead(cookie)
    }
  }

  /** One after the other, because the provider is told beforehand whose login comes next. */
  #signIn(sid: string): Promise<string> {
    const next = this.#signIns.then(async () => {
      this.#pair.provider.faults.idToken = (claims) => void Object.assign(claims, { sid })
      let cookie = ''
      await eventually(async () => {
        cookie = await this.#pair.signIn(this.#side())
      }, 20_000)
      return cookie
    })
    this.#signIns = next.catch(() => undefined)
    return next
  }

  #side(): Side {
    return this.#below(2) === 0 ? 0 : 1
  }

  async #call(cookie: string): Promise<number> {
    const { status } = await this.#pair.request(this.#side(), 'GET', '/api/x', { ...fromOurPage, cookie })
    this.counts.calls += 1
    if (status === 503) this.counts.unavailable += 1
    return status
  }

  async #use(cookie: string, forMs: number): Promise<void> {
    for (const endMs = performance.now() + forMs; performance.now() < endMs && !this.#isOver; ) {
      const status = await this.#call(cookie)
      if (status !== 200 && status !== 503) this.faults.push(`a living session was answered ${status}`)
      await sleep(betweenCallsMs)
    }
  }

  /** Whatever is broken at the moment mends itself, and then the session goes on. */
  async #expectAlive(cookie: string, number: number): Promise<void> {
    const answered = eventually(async () => {
      const status = await this.#call(cookie)
      if (status === 401) this.faults.push(`the session of user ${number} was lost`)
      else if (status !== 200) throw new Error(`answered ${status}`)
    }, 20_000)
    await answered.catch((error: unknown) => this.faults.push(`no recovery: ${error}`))
  }

  async #expectDead(cookie: string): Promise<void> {
    const status = await this.#call(cookie)
    if (status !== 401 && status !== 503) this.faults.push(`an ended session was answered ${status}`)
    await sleep(this.#below(60))
  }

  /** In one of the ways there are, repeated until it is confirmed. */
  async #end(cookie: string, sid: string): Promise<void> {
    const { client, provider } = this.#pair
    const key = createStoreKeys().session(hashSessionId(cookie.split('=')[1] ?? ''))
    const token = await provider.logoutToken({ sid, sub: undefined, iat: Math.floor(Date.now() / 1_000) + 1 })
    const asOurs = { ...fromOurPage, cookie, accept: 'application/json' }
    const ways: readonly (() => Promise<number>)[] = [
      async () => (await this.#pair.request(this.#side(), 'POST', '/logout', asOurs)).status,
      async () => (await this.#pair.logOut(this.#side(), token)).status,
      async () => client.del(key).then(() => 200),
    ]
    const way = ways[this.#below(ways.length)]
    await eventually(async () => {
      const status = await way?.()
      if (status !== 200) throw new Error(`a logout was answered ${status}`)
    }, 20_000).catch((error: unknown) => this.faults.push(`no end: ${error}`))
  }

  /** Each refresh token once, whoever froze in the middle. */
  #checkRefreshTokens(): void {
    const presented = this.#pair.provider.requests.flatMap(({ path, form }) =>
      path === '/token' ? (form.get('refresh_token') ?? []) : [],
    )
    const again = presented.length - new Set(presented).size
    if (again > 0) this.faults.push(`${again} of ${presented.length} refresh tokens were presented again`)
  }
}
