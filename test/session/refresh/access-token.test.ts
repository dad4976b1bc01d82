import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../../src/session/store/memory/store.ts'
import { eventually } from '../../support/eventually.ts'
import { type ControlledStore, controlStore, createStop } from '../support/controlled-store.ts'
import {
  api,
  type Clock,
  createClock,
  createNode,
  createScriptedRefreshes,
  firstPage,
  type LoginFacts,
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

beforeEach(() => {
  clock = createClock()
  store = controlStore(createMemoryStore({ sessionMaxLifetime: 36_000 }, clock))
  refreshes = createScriptedRefreshes(clock.now, 300_000)
  node = createNode({ store, now: clock.now, provider: refreshes.provider })
  other = createNode({ store, now: clock.now, provider: refreshes.provider })
})

afterEach(() => store.close())

async function get(one: Node, id: string, audience = api): Promise<string> {
  const token = await one.accessTokens.get(id, await viewOf(one, id), audience)
  return token.value
}

/** A session whose only access token is over. */
async function expired(facts: LoginFacts = {}): Promise<string> {
  const { id } = await signIn(node, clock.now, { lifeMs: 60_000, ...facts })
  clock.advance(60_000)
  return id
}

describe('an access token', () => {
  it('that is usable is given without a promise, until 10 s before its end', async () => {
    const { id } = await signIn(node, clock.now, { lifeMs: 60_000, refreshToken: 'refresh-0' })
    clock.advance(49_999)
    expect(node.accessTokens.get(id, await viewOf(node, id), api)).toMatchObject({ value: 'default-0' })
    clock.advance(1)
    const late = node.accessTokens.get(id, await viewOf(node, id), api)
    expect(late).toBeInstanceOf(Promise)
    expect(await late).toMatchObject({ value: 'default-1' })
  })

  it('is refreshed ahead, in the background, once, and no request waits for it or fails with it', async () => {
    const { id } = await signIn(node, clock.now, { lifeMs: 300_000 })
    clock.advance(259_999)
    expect(node.accessTokens.get(id, await viewOf(node, id), api)).toMatchObject({ value: 'default-0' })
    await node.accessTokens.drained()
    expect(refreshes.presented).toEqual([])
    clock.advance(1)
    const stop = createStop()
    refreshes.answer = async (input) => {
      await stop.wait()
      return refreshes.rotate(input)
    }
    for (let request = 0; request < 10; request += 1) {
      expect(node.accessTokens.get(id, await viewOf(node, id), api)).toMatchObject({ value: 'default-0' })
    }
    stop.open()
    await node.accessTokens.drained()
    expect(await get(node, id)).toBe('default-1')
    expect(refreshes.presented).toEqual(['refresh-0'])
  })

  it('that has expired is refreshed once for fifty requests on two nodes', async () => {
    const id = await expired()
    const asked = Array.from({ length: 50 }, (_, at) => get(at % 2 === 0 ? node : other, id))
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['default-1']))
    expect(refreshes.presented).toEqual(['refresh-0'])
  })

  it('of several APIs is refreshed one after the other on all nodes, with the newest refresh token each', async () => {
    const id = await expired()
    const [first, second, third, fourth] = await Promise.all([
      get(node, id),
      get(node, id, reports),
      get(other, id, reports),
      get(other, id),
    ])
    expect(first).toBe(fourth)
    expect(second).toBe(third)
    expect(refreshes.presented).toEqual(['refresh-0', 'refresh-1'])
    expect(refreshes.mostAtOnce()).toBe(1)
    expect((await node.sessions.open(id))?.record.tokens.refreshToken).toBe('refresh-2')
  })

  it('is refreshed to the end although everybody who waited has left', async () => {
    const id = await expired()
    const stop = createStop()
    refreshes.answer = async (input) => {
      await stop.wait()
      return refreshes.rotate(input)
    }
    void get(node, id)
    await stop.reached
    const drained = node.accessTokens.drained()
    stop.open()
    await drained
    expect((await node.sessions.open(id))?.record.tokens).toMatchObject({
      refreshToken: 'refresh-1',
      access: { default: { value: 'default-1' } },
    })
  })

  it('keeps what the answer does not repeat', async () => {
    const id = await expired()
    refreshes.answer = (input) => {
      const rotated = refreshes.rotate(input)
      const { providerSessionId: _sid, ...identity } = { ...input.identity, loginIssuedAtSeconds: 1 }
      return {
        ...rotated,
        refreshToken: undefined,
        identity: { ...identity, providerSessionId: undefined },
      } as never
    }
    await get(node, id)
    const opened = await node.sessions.open(id)
    expect(opened?.record.identity).toMatchObject({ providerSessionId: 'sid-1' })
    expect(opened?.record.identity.loginIssuedAtSeconds).toBeGreaterThan(1)
    expect(opened?.record.tokens).toMatchObject({ idToken: 'id-token', refreshToken: 'refresh-0' })
  })

  it('never puts off the end of the session, and brings it nearer when the provider says so', async () => {
    const id = await expired()
    const endsAtMs = (await viewOf(node, id)).endsAtMs
    const expirySeconds = Math.floor(clock.now() / 1_000) + 900
    refreshes.answer = (input) => ({ ...refreshes.rotate(input), sessionExpirySeconds: 9e9 }) as never
    await get(node, id)
    expect((await viewOf(node, id)).endsAtMs).toBe(endsAtMs)
    clock.advance(300_000)
    refreshes.answer = (input) =>
      ({ ...refreshes.rotate(input), sessionExpirySeconds: expirySeconds }) as never
    await get(node, id)
    expect((await viewOf(node, id)).endsAtMs).toBe(expirySeconds * 1_000)
    clock.advance(600_000)
    expect(await node.sessions.find(id)).toBeUndefined()
    expect((await node.sessions.list(await signIn(node, clock.now), firstPage))?.sessions).toHaveLength(1)
  })

  it.each([
    [0, 11],
    [3_000, 11],
    [10_000, 3],
    [12_000, 11],
    [15_000, 4],
  ])('with a life of %i ms is not refreshed by every request', async (lifeMs, most) => {
    const { id } = await signIn(node, clock.now, { lifeMs: 60_000 })
    refreshes.answer = (input) => {
      const answer = refreshes.rotate(input)
      if (answer.kind !== 'refreshed') return answer
      const { value, obtainedAtMs } = answer.accessToken
      return { ...answer, accessToken: { value, obtainedAtMs, expiresAtMs: obtainedAtMs + lifeMs } }
    }
    clock.advance(60_000)
    for (let request = 0; request < 40; request += 1) {
      await get(node, id)
      await node.accessTokens.drained()
      clock.advance(250)
    }
    expect(refreshes.presented.length).toBeLessThanOrEqual(most)
  })

  it('without a refresh token ends with the session, as if it had expired', async () => {
    const { id, view } = await signIn(node, clock.now, { lifeMs: 60_000, refreshToken: undefined })
    clock.advance(49_999)
    expect(await get(node, id)).toBe('default-0')
    clock.advance(1)
    expect(await node.sessions.find(id)).toBeUndefined()
    await expect(node.accessTokens.get(id, view, api)).rejects.toMatchObject({ code: 'session_expired' })
    expect(refreshes.presented).toEqual([])
  })

  it('for a further API cannot be had without a refresh token, which ends nothing', async () => {
    const { id } = await signIn(node, clock.now, { refreshToken: undefined })
    await expect(get(node, id, reports)).rejects.toMatchObject({ code: 'provider_rejected' })
    expect(await get(node, id)).toBe('default-0')
  })
})

describe('a session that ends during its refresh', () => {
  it('stays ended, and what was obtained is revoked', async () => {
    const id = await expired()
    const stop = createStop()
    refreshes.answer = async (input) => {
      await stop.wait()
      return refreshes.rotate(input)
    }
    const waiting = get(node, id)
    await stop.reached
    const { view } = (await other.sessions.open(id)) ?? {}
    await other.sessions.end(view?.h ?? '')
    stop.open()
    await expect(waiting).rejects.toMatchObject({ code: 'session_expired' })
    expect(refreshes.revoked).toEqual(['refresh-1'])
    expect(await store.exist([view?.h ?? ''])).toEqual([false])
  })

  it('before the grant presents nothing to the provider', async () => {
    const id = await expired()
    const view = await viewOf(node, id)
    await other.sessions.end(view.h)
    await expect(node.accessTokens.get(id, view, api)).rejects.toMatchObject({ code: 'session_expired' })
    expect(refreshes.presented).toEqual([])
  })
})

describe('refreshing when the page asks', () => {
  it('refreshes a token that is due and leaves one alone that is not', async () => {
    const { id } = await signIn(node, clock.now, { lifeMs: 300_000 })
    await node.accessTokens.refreshIfDue(id, await viewOf(node, id), api)
    expect(refreshes.presented).toEqual([])
    clock.advance(270_000)
    await node.accessTokens.refreshIfDue(id, await viewOf(node, id), api)
    expect(await get(node, id)).toBe('default-1')
  })

  it('fails only when the token cannot be used either, or the session is over', async () => {
    const { id } = await signIn(node, clock.now, { lifeMs: 300_000 })
    refreshes.answer = () => ({ kind: 'unavailable', error: 'x', retryAfterSeconds: 1, cause: 'busy' })
    clock.advance(270_000)
    await node.accessTokens.refreshIfDue(id, await viewOf(node, id), api)
    clock.advance(30_000)
    const late = node.accessTokens.refreshIfDue(id, await viewOf(node, id), api)
    await expect(late).rejects.toMatchObject({ code: 'provider_unavailable' })
    clock.advance(4_000)
    refreshes.answer = () => ({ kind: 'refused', error: 'invalid_grant', isCertain: true })
    const last = node.accessTokens.refreshIfDue(id, await viewOf(node, id), api)
    await expect(last).rejects.toMatchObject({ code: 'refresh_refused' })
    await eventually(async () => expect(await node.sessions.find(id)).toBeUndefined())
  })
})
