import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RefreshOutcome } from '../../../src/oidc/provider/provider.ts'
import { newWriteId } from '../../../src/session/record/keys.ts'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { eventually } from '../../support/eventually.ts'
import { type ControlledStore, controlStore, createStop, unavailable } from '../support/controlled-store.ts'
import {
  api,
  type Clock,
  createClock,
  createNode,
  createScriptedRefreshes,
  type Node,
  reports,
  type ScriptedRefreshes,
  signIn,
  viewOf,
} from '../support/sessions-world.ts'

let clock: Clock
let store: ControlledStore
let refreshes: ScriptedRefreshes
let node: Node
let other: Node
let id: string
let h: string

beforeEach(async () => {
  clock = createClock()
  store = controlStore(createMemoryStore({ sessionMaxLifetime: 36_000 }, clock))
  refreshes = createScriptedRefreshes(clock.now, 300_000)
  node = createNode({ store, now: clock.now, provider: refreshes.provider })
  other = createNode({ store, now: clock.now, provider: refreshes.provider })
  const session = await signIn(node, clock.now, { lifeMs: 60_000 })
  id = session.id
  h = session.view.h
})

afterEach(() => store.close())

async function get(one: Node = node, audience = api): Promise<string> {
  const token = await one.accessTokens.get(id, await viewOf(one, id), audience)
  return token.value
}

const isAlive = async (): Promise<boolean> => (await store.exist([h]))[0] === true
const storedRefreshToken = async (): Promise<string | undefined> =>
  (await node.sessions.open(id))?.record.tokens.refreshToken

const outage: RefreshOutcome = {
  kind: 'unavailable',
  error: 'timeout',
  retryAfterSeconds: undefined,
  cause: 'transport',
}
const fault = {
  kind: 'opaque',
  askedFor: 'https://api.example',
  found: [],
  explanation: 'The access token is opaque.',
  remedy: 'Register the API.',
} as const

describe('a refused refresh', () => {
  it('ends the session, and everybody who waited learns why', async () => {
    clock.advance(60_000)
    refreshes.answer = () => ({ kind: 'refused', error: 'invalid_grant', isCertain: true })
    const view = await viewOf(node, id)
    const asked = await Promise.allSettled([get(), get(), get(node, reports)])
    const codes = asked.map((result) => (result.status === 'rejected' ? result.reason.code : 'fulfilled'))
    expect(codes).toEqual(['refresh_refused', 'refresh_refused', 'refresh_refused'])
    expect(await isAlive()).toBe(false)
    expect(refreshes.presented).toEqual(['refresh-0'])
    await expect(node.accessTokens.get(id, view, api)).rejects.toMatchObject({ code: 'refresh_refused' })
    expect(node.audit.map(([name]) => name)).toEqual(['session.refresh_failed', 'session.ended'])
  })

  it('ends nothing when another node has refreshed in between', async () => {
    clock.advance(60_000)
    refreshes.answer = async (input) => {
      const session = await other.records.open(id)
      if (session === undefined) throw new Error('no session')
      const { record } = session
      const token = { value: 'winner', obtainedAtMs: clock.now(), expiresAtMs: clock.now() + 300_000 }
      const tokens = { ...record.tokens, refreshToken: 'theirs', access: { default: token } }
      await other.records.prepareReplace(session, { ...record, tokens })()
      expect(input.refreshToken).toBe('refresh-0')
      return { kind: 'refused', error: 'invalid_grant', isCertain: true }
    }
    expect(await get()).toBe('winner')
    expect(await storedRefreshToken()).toBe('theirs')
  })

  it.each(['interaction_required', 'consent_required', 'mfa_required'])(
    'as %s keeps the session: the user has to be there, and every further request is told so without asking again',
    async (error) => {
      clock.advance(60_000)
      refreshes.answer = () => ({ kind: 'refused', error, isCertain: true, claims: '{}' })
      const demand = { code: 'step_up_required', context: { reason: error, claims: '{}' } }
      await expect(get()).rejects.toMatchObject(demand)
      await expect(get()).rejects.toMatchObject(demand)
      expect(refreshes.presented).toEqual(['refresh-0'])
      expect(await isAlive()).toBe(true)
    },
  )

  it('as login_required ends the session', async () => {
    clock.advance(60_000)
    refreshes.answer = () => ({ kind: 'refused', error: 'login_required', isCertain: true })
    await expect(get()).rejects.toMatchObject({ code: 'refresh_refused' })
    expect(await isAlive()).toBe(false)
  })

  it.each(['interaction_required', 'consent_required', 'mfa_required', 'login_required'])(
    'of an additional API as %s ends nothing',
    async (error) => {
      refreshes.answer = ({ audience }) => ({
        kind: 'refused',
        error: audience.key === 'reports' ? error : 'invalid_grant',
        isCertain: true,
      })
      await expect(get(node, reports)).rejects.toMatchObject({ code: 'step_up_required' })
      expect(await isAlive()).toBe(true)
    },
  )

  it('of an additional API as invalid_grant is decided by a refresh for the API of the login', async () => {
    refreshes.answer = (input) =>
      input.audience.key === 'reports'
        ? { kind: 'refused', error: 'invalid_grant', isCertain: true }
        : refreshes.rotate(input)
    await expect(get(node, reports)).rejects.toMatchObject({ code: 'provider_rejected' })
    expect(await isAlive()).toBe(true)
    expect(await storedRefreshToken()).toBe('refresh-1')
    refreshes.answer = () => ({ kind: 'refused', error: 'invalid_grant', isCertain: true })
    clock.advance(10_000)
    await expect(get(node, reports)).rejects.toMatchObject({ code: 'refresh_refused' })
    expect(await isAlive()).toBe(false)
  })

  it('in doubt ends the session of one, and is the operator’s fault when three meet it within 10 s', async () => {
    const ids = [id]
    for (let count = 0; count < 4; count += 1)
      ids.push((await signIn(node, clock.now, { lifeMs: 60_000 })).id)
    clock.advance(60_000)
    const codeOf = async (one: string): Promise<string> => {
      const view = await viewOf(node, one)
      const [result] = await Promise.allSettled([Promise.resolve(node.accessTokens.get(one, view, api))])
      return result.status === 'rejected' ? result.reason.code : 'fulfilled'
    }
    refreshes.answer = () => ({ kind: 'refused', error: 'invalid_request', isCertain: false })
    expect(await codeOf(ids[0] ?? '')).toBe('refresh_refused')
    clock.advance(11_000)
    expect(await codeOf(ids[1] ?? '')).toBe('refresh_refused')
    expect(await codeOf(ids[2] ?? '')).toBe('refresh_refused')
    expect(await codeOf(ids[3] ?? '')).toBe('provider_rejected')
    clock.advance(60_000)
    expect(await codeOf(ids[3] ?? '')).toBe('provider_rejected')
    refreshes.answer = (input) => refreshes.rotate(input)
    clock.advance(60_000)
    expect(await codeOf(ids[3] ?? '')).toBe('fulfilled')
    refreshes.answer = () => ({ kind: 'refused', error: 'invalid_request', isCertain: false })
    expect(await codeOf(ids[4] ?? '')).toBe('refresh_refused')
  })

  it('with an answer that cannot be trusted revokes what came', async () => {
    clock.advance(60_000)
    refreshes.answer = () => ({ kind: 'invalid', error: 'bad id token', obtainedRefreshToken: 'bad' })
    await expect(get()).rejects.toMatchObject({ code: 'refresh_refused' })
    expect(refreshes.revoked).toEqual(['bad'])
    expect(await isAlive()).toBe(false)
  })
})

describe('an outage of the provider', () => {
  it('fails no request whose token is usable', async () => {
    refreshes.answer = () => outage
    clock.advance(45_000)
    for (let request = 0; request < 5; request += 1) {
      expect(await get()).toBe('default-0')
      await node.accessTokens.drained()
    }
    expect(refreshes.presented).toHaveLength(1)
  })

  it('answers 503 with the time to wait, tries again after 1, 2 and 4 s, and then goes on', async () => {
    refreshes.answer = () => outage
    clock.advance(60_000)
    for (const [attempts, seconds] of [1, 2, 4, 4].entries()) {
      const failure = { code: 'provider_unavailable', retryAfterSeconds: seconds }
      await expect(get()).rejects.toMatchObject(failure)
      expect(refreshes.presented).toHaveLength(attempts + 1)
      clock.advance(seconds * 1_000 - 1)
      await expect(get()).rejects.toMatchObject({ code: 'provider_unavailable', retryAfterSeconds: 1 })
      expect(refreshes.presented).toHaveLength(attempts + 1)
      clock.advance(1)
    }
    refreshes.answer = refreshes.rotate
    expect(await get()).toBe('default-1')
    expect(new Set(refreshes.presented)).toEqual(new Set(['refresh-0']))
  })

  it('waits as long as a provider that is too busy asks for', async () => {
    refreshes.answer = () => ({ ...outage, cause: 'busy', retryAfterSeconds: 20 })
    clock.advance(60_000)
    await expect(get()).rejects.toMatchObject({ retryAfterSeconds: 20 })
    clock.advance(19_000)
    await expect(get()).rejects.toMatchObject({ retryAfterSeconds: 1 })
    expect(refreshes.presented).toHaveLength(1)
  })

  it('that shows as an exception loses no session either', async () => {
    refreshes.answer = () => Promise.reject(new Error('unexpected'))
    clock.advance(60_000)
    await expect(get()).rejects.toMatchObject({ code: 'provider_unavailable' })
    expect(await isAlive()).toBe(true)
  })
})

describe("the operator's faults", () => {
  it('keep the session, answer 502, and are not repeated by every request', async () => {
    refreshes.answer = () => ({ kind: 'rejected', error: 'invalid_client' })
    clock.advance(60_000)
    await expect(get()).rejects.toMatchObject({ code: 'provider_rejected' })
    await expect(get()).rejects.toMatchObject({ code: 'provider_rejected' })
    expect(refreshes.presented).toHaveLength(1)
    expect(await isAlive()).toBe(true)
  })

  it('of one API do not touch another', async () => {
    refreshes.answer = (input) =>
      input.audience.key === 'reports'
        ? { kind: 'rejected', error: 'invalid_target' }
        : refreshes.rotate(input)
    clock.advance(60_000)
    await expect(get(node, reports)).rejects.toMatchObject({ code: 'provider_rejected' })
    expect(await get()).toBe('default-1')
  })

  it('of an unusable token keep the rotated refresh token, name the fix, and send nothing', async () => {
    refreshes.answer = ({ identity }) => ({
      kind: 'unusable',
      fault,
      refreshToken: 'rotated',
      idToken: undefined,
      identity,
      sessionExpirySeconds: undefined,
    })
    clock.advance(60_000)
    const failure = { code: 'access_token_unusable', detail: 'The access token is opaque. Register the API.' }
    await expect(get()).rejects.toMatchObject(failure)
    await expect(get()).rejects.toMatchObject(failure)
    expect(refreshes.presented).toEqual(['refresh-0'])
    expect(await storedRefreshToken()).toBe('rotated')
    clock.advance(2_000)
    await expect(get()).rejects.toMatchObject(failure)
    expect(refreshes.presented).toEqual(['refresh-0', 'rotated'])
  })
})

describe('the write after a grant', () => {
  it('that lost against another node discards its tokens without revoking, and uses the winner’s', async () => {
    clock.advance(60_000)
    store.before('replace', async () => {
      store.before('replace', undefined)
      const session = await other.records.open(id)
      if (session === undefined) throw new Error('no session')
      const { record } = session
      const token = { value: 'winner', obtainedAtMs: clock.now(), expiresAtMs: clock.now() + 300_000 }
      const tokens = { ...record.tokens, refreshToken: 'theirs', access: { default: token } }
      await other.records.prepareReplace(session, { ...record, tokens })()
    })
    expect(await get()).toBe('winner')
    expect(refreshes.revoked).toEqual([])
    expect(await storedRefreshToken()).toBe('theirs')
  })

  it.each(['before', 'after'] as const)(
    'that is not answered (%s it was done) is repeated until it is, and the old refresh token is never presented again',
    async (side) => {
      clock.advance(60_000)
      store[side]('replace', () => Promise.reject(unavailable()))
      await expect(get()).rejects.toMatchObject({ code: 'session_store_unavailable' })
      await expect(get(node, reports)).rejects.toMatchObject({ code: 'session_store_unavailable' })
      store[side]('replace', undefined)
      await node.accessTokens.drained()
      expect(await get()).toBe('default-1')
      expect(refreshes.presented).toEqual(['refresh-0'])
      expect(refreshes.revoked).toEqual([])
    },
  )

  it('that is not answered keeps other nodes from presenting the old refresh token', async () => {
    clock.advance(60_000)
    store.before('replace', () => Promise.reject(unavailable()))
    await expect(get()).rejects.toMatchObject({ code: 'session_store_unavailable' })
    const theirs = get(other)
    await eventually(() =>
      expect(store.calls.filter((call) => call === 'acquireLease').length).toBeGreaterThan(2),
    )
    store.before('replace', undefined)
    expect(await theirs).toBe('default-1')
    expect(refreshes.presented).toEqual(['refresh-0'])
  })

  it('that turns out to have come too late revokes what was obtained', async () => {
    clock.advance(60_000)
    store.before('replace', () => Promise.reject(unavailable()))
    await expect(get()).rejects.toMatchObject({ code: 'session_store_unavailable' })
    await other.sessions.end(h)
    store.before('replace', undefined)
    await node.accessTokens.drained()
    expect(refreshes.revoked).toEqual(['refresh-1'])
    expect(await isAlive()).toBe(false)
  })

  it('is given up when the session would be over anyway', async () => {
    clock.advance(60_000)
    store.before('replace', () => Promise.reject(unavailable()))
    await expect(get()).rejects.toMatchObject({ code: 'session_store_unavailable' })
    clock.advance(36_000_000)
    await node.accessTokens.drained()
    expect(refreshes.revoked).toEqual(['refresh-1'])
  })
})

describe('the lease', () => {
  it('of another node that never comes to an end is waited for, and then taken over', async () => {
    clock.advance(60_000)
    await store.acquireLease(h, newWriteId(), 10_000)
    const waiting = get()
    const stop = createStop()
    store.after('acquireLease', stop.wait)
    await stop.reached
    store.after('acquireLease', undefined)
    expect(refreshes.presented).toEqual([])
    clock.advance(10_000)
    stop.open()
    expect(await waiting).toBe('default-1')
  })

  it('that cannot be asked for answers 503 and leaves the session alone', async () => {
    clock.advance(60_000)
    store.before('acquireLease', () => Promise.reject(unavailable()))
    await expect(get()).rejects.toMatchObject({ code: 'session_store_unavailable' })
    store.before('acquireLease', undefined)
    expect(await get()).toBe('default-1')
  })

  it('is given back', async () => {
    clock.advance(60_000)
    await get()
    await node.accessTokens.drained()
    expect(await store.acquireLease(h, newWriteId(), 1_000)).toBe(true)
  })
})

describe('an answer that is late', () => {
  it('is waited for without those who asked, and written', async () => {
    clock.advance(60_000)
    const stop = createStop()
    refreshes.answer = async (input) => {
      await stop.wait()
      return refreshes.rotate(input)
    }
    const impatient = createNode({
      store,
      now: clock.now,
      provider: refreshes.provider,
      providerTimeout: 0.05,
    })
    await expect(get(impatient)).rejects.toMatchObject({ code: 'provider_unavailable' })
    await expect(get(impatient)).rejects.toMatchObject({ code: 'provider_unavailable' })
    expect(refreshes.presented).toEqual(['refresh-0'])
    stop.open()
    await impatient.accessTokens.drained()
    expect(await get(impatient)).toBe('default-1')
    expect(await storedRefreshToken()).toBe('refresh-1')
    expect(refreshes.presented).toEqual(['refresh-0'])
  })

  it('is lost after 60 s: whoever comes then asks for it again, once', async () => {
    clock.advance(60_000)
    refreshes.answer = () => new Promise(() => undefined)
    const impatient = createNode({
      store,
      now: clock.now,
      provider: refreshes.provider,
      providerTimeout: 0.05,
    })
    await expect(get(impatient)).rejects.toMatchObject({ code: 'provider_unavailable' })
    clock.advance(59_000)
    await expect(get(impatient)).rejects.toMatchObject({ code: 'provider_unavailable' })
    expect(refreshes.presented).toEqual(['refresh-0'])
    refreshes.answer = (input) => refreshes.rotate(input)
    clock.advance(1_000)
    expect(await Promise.all([get(impatient), get(impatient)])).toEqual(['default-1', 'default-1'])
    expect(refreshes.presented).toEqual(['refresh-0', 'refresh-0'])
    expect(await storedRefreshToken()).toBe('refresh-1')
  })

  it.each<RefreshOutcome>([
    { ...outage, cause: 'own' },
    { kind: 'rejected', error: 'no CLIENT_KEY', isOwn: true },
  ])('stays stopped by an outage where nobody was asked: %j', async (unasked) => {
    const many: string[] = []
    for (let count = 0; count < 32; count += 1) many.push((await signIn(node, clock.now, { lifeMs: 1 })).id)
    const ask = async (one = '') => node.accessTokens.get(one, await viewOf(node, one), api)
    refreshes.answer = () => outage
    clock.advance(10_000)
    await Promise.allSettled(many.map(ask))
    clock.advance(60_000)
    refreshes.answer = () => unasked
    await expect(ask(many[0])).rejects.toThrow()
    refreshes.answer = (input) => refreshes.rotate(input)
    const asked = refreshes.presented.length
    await expect(ask(many[1])).rejects.toThrow()
    expect(refreshes.presented.length).toBe(asked)
    clock.advance(1_000)
    expect((await ask(many[2])).value).toMatch(/^default-/)
  })

  it('takes none of the places of other grants', async () => {
    clock.advance(60_000)
    const stop = createStop()
    const impatient = createNode({
      store,
      now: clock.now,
      provider: refreshes.provider,
      providerTimeout: 0.05,
    })
    const hung: string[] = []
    for (let count = 0; count < 32; count += 1) hung.push((await signIn(node, clock.now, { lifeMs: 1 })).id)
    refreshes.answer = async (input) => {
      await stop.wait()
      return refreshes.rotate(input)
    }
    clock.advance(10_000)
    await Promise.allSettled(
      hung.map(async (one) => impatient.accessTokens.get(one, await viewOf(impatient, one), api)),
    )
    refreshes.answer = (input) => refreshes.rotate(input)
    // The breaker has seen them all and lets one through each second.
    clock.advance(1_000)
    expect(await get(impatient)).toMatch(/^default-/)
    stop.open()
    await impatient.accessTokens.drained()
  })
})
