import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type Coatcheck,
  createCoatcheck,
  createSessionStore,
  type SessionStore,
} from '../../src/client/client.ts'
import { openPage, type Page, problem, signedIn, signedOut } from './page.ts'

let page: Page
let coatcheck: Coatcheck
let store: SessionStore
const seen: unknown[] = []
const down = problem('session_store_unavailable', 503)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  page = openPage()
  coatcheck = createCoatcheck()
  store = createSessionStore(coatcheck)
  seen.length = 0
})
afterEach(() => {
  coatcheck.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const watch = () => store.subscribe(() => seen.push(store.get().status))
const asked = () => page.requests.length

describe('the session as a value', () => {
  it('is loading until the gateway has answered, and asked for once however many look at it', async () => {
    page.answer('/session', signedIn())
    const stops = [watch(), watch()]
    expect(store.get()).toEqual({ status: 'loading' })
    await vi.advanceTimersByTimeAsync(0)
    expect(store.get()).toEqual({ status: 'signed-in', user: { sub: 'alice' } })
    expect(asked()).toBe(1)
    for (const stop of stops) stop()
  })

  it('is unavailable while the gateway does not say, and comes by itself when it does', async () => {
    page.answer('/session', down, down, down, signedOut)
    watch()
    await vi.advanceTimersByTimeAsync(0)
    expect(seen).toEqual(['unavailable'])
    await vi.advanceTimersByTimeAsync(1_000 + 2_000 + 4_000)
    expect(seen).toEqual(['unavailable', 'signed-out'])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked()).toBe(4)
  })

  it('stays what it was when a later question is not answered', async () => {
    page.answer('/session', signedIn(), down)
    watch()
    await vi.advanceTimersByTimeAsync(0)
    await coatcheck.getSession().catch(() => undefined)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(seen).toEqual(['signed-in'])
  })

  it('is the same object until it changes', async () => {
    page.answer('/session', signedIn(1_000), signedIn(900), signedIn(800, 700, 'bob'))
    watch()
    await vi.advanceTimersByTimeAsync(0)
    const first = store.get()
    await coatcheck.getSession()
    await vi.advanceTimersByTimeAsync(0)
    expect(store.get()).toBe(first)
    await coatcheck.getSession()
    await vi.advanceTimersByTimeAsync(0)
    expect(store.get().user).toEqual({ sub: 'bob' })
  })

  it('asks nobody once nobody looks at it', async () => {
    page.answer('/session', down)
    watch()()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked()).toBe(1)
    expect(seen).toEqual([])
  })
})
