import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AccessToken } from '../../../../src/oidc/tokens/token-set.ts'
import type { SessionStore } from '../../../../src/session/store/contract.ts'
import { createMemoryStore } from '../../../../src/session/store/memory/store.ts'
import {
  api,
  type Clock,
  createClock,
  createNode,
  createScriptedRefreshes,
  type Node,
  type ScriptedRefreshes,
  signIn,
  viewOf,
} from '../../support/sessions-world.ts'

let clock: Clock
let store: SessionStore
let refreshes: ScriptedRefreshes
let node: Node
let id: string

beforeEach(async () => {
  clock = createClock()
  store = createMemoryStore({ sessionMaxLifetime: 36_000 }, clock)
  refreshes = createScriptedRefreshes(clock.now)
  node = createNode({ store, now: clock.now, provider: refreshes.provider })
  id = (await signIn(node, clock.now)).id
})

afterEach(() => store.close())

async function sent(): Promise<AccessToken> {
  return node.accessTokens.get(id, await viewOf(node, id), api)
}

async function cure(rejected: AccessToken, one = node): Promise<string | undefined> {
  const token = await one.accessTokens.cure(id, await viewOf(one, id), api, rejected)
  return token?.value
}

describe('a token that an API rejects before its time', () => {
  it('is replaced once for all requests that it was rejected for', async () => {
    const rejected = await sent()
    clock.advance(30_000)
    const cured = await Promise.all(Array.from({ length: 10 }, () => cure(rejected)))
    expect(new Set(cured)).toEqual(new Set(['default-1']))
    expect(refreshes.presented).toHaveLength(1)
    expect(await cure(rejected)).toBe('default-1')
    expect(refreshes.presented).toHaveLength(1)
  })

  it('is not replaced while it is younger than 30 s', async () => {
    const rejected = await sent()
    clock.advance(29_999)
    expect(await cure(rejected)).toBeUndefined()
    clock.advance(1)
    expect(await cure(rejected)).toBe('default-1')
  })

  it('is replaced once in 60 s, even when the new one is rejected too', async () => {
    const first = await sent()
    clock.advance(30_000)
    await cure(first)
    const second = await sent()
    clock.advance(59_999)
    expect(await cure(second)).toBeUndefined()
    clock.advance(1)
    expect(await cure(second)).toBe('default-2')
  })

  it('is not replaced when it is no longer the current one: that is sent instead', async () => {
    const other = createNode({ store, now: clock.now, provider: refreshes.provider })
    const rejected = await sent()
    clock.advance(30_000)
    await cure(rejected, other)
    expect(await cure(rejected)).toBe('default-1')
    expect(refreshes.presented).toHaveLength(1)
  })

  it('stays rejected when the provider cannot help, without another attempt', async () => {
    const rejected = await sent()
    clock.advance(30_000)
    refreshes.answer = () => ({
      kind: 'unavailable',
      error: 'x',
      retryAfterSeconds: undefined,
      cause: 'transport',
    })
    expect(await cure(rejected)).toBeUndefined()
    expect(await cure(rejected)).toBeUndefined()
    expect(refreshes.presented).toHaveLength(1)
  })

  it('ends the session when the provider refuses another', async () => {
    const rejected = await sent()
    const view = await viewOf(node, id)
    clock.advance(30_000)
    refreshes.answer = () => ({ kind: 'refused', error: 'invalid_grant', isCertain: true })
    const failure = { code: 'refresh_refused' }
    await expect(cure(rejected)).rejects.toMatchObject(failure)
    await expect(node.accessTokens.cure(id, view, api, rejected)).rejects.toMatchObject(failure)
  })

  it('is not replaced without a refresh token', async () => {
    id = (await signIn(node, clock.now, { refreshToken: undefined })).id
    const rejected = await sent()
    clock.advance(30_000)
    expect(await cure(rejected)).toBeUndefined()
  })
})
