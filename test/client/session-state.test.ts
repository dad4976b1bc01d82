import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Coatcheck, createCoatcheck, GatewayProblem } from '../../src/client/client.ts'
import { messagesArrived, openPage, type Page, problem, reply, signedIn, signedOut } from './page.ts'

let page: Page
/** Two helpers on one origin: what two tabs are to each other. */
let here: Coatcheck
let there: Coatcheck

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  page = openPage()
  here = createCoatcheck()
  there = createCoatcheck()
})
afterEach(() => {
  here.close()
  there.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const asked = () => page.requests.filter(({ path }) => path === '/session').length
const settled = (): Promise<void> => messagesArrived(() => vi.advanceTimersByTimeAsync(0))

describe('the countdown', () => {
  it('counts whole seconds down to both ends, the idle one never later than the absolute one', async () => {
    page.answer('/session', signedIn(100, 500))
    const seen: unknown[] = []
    here.onCountdown((left) => seen.push(left))
    await here.getSession()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(seen).toEqual([
      { expiresIn: 99, idleExpiresIn: 99 },
      { expiresIn: 98, idleExpiresIn: 98 },
    ])
  })

  it('stops when nobody is signed in, and for whoever has stopped listening', async () => {
    page.answer('/session', signedIn(), signedOut)
    const listener = vi.fn()
    const other = vi.fn()
    here.onCountdown(listener)
    const stop = here.onCountdown(other)
    await here.getSession()
    stop()
    await vi.advanceTimersByTimeAsync(1_000)
    await here.getSession()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(listener).toHaveBeenCalledOnce()
    expect(other).not.toHaveBeenCalled()
  })

  it.each([-3_600_000, 600_000])('is worked out anew when the clock was set by %i ms', async (byMs) => {
    page.answer('/session', signedIn(3_600, 1_800))
    const seen: unknown[] = []
    here.onCountdown((left) => seen.push(left))
    await here.getSession()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(asked()).toBe(1)
    vi.setSystemTime(Date.now() + byMs)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(asked()).toBe(2)
    expect(seen.at(-1)).toEqual({ expiresIn: 3_599, idleExpiresIn: 1_799 })
  })

  it('follows what another tab learns', async () => {
    page.answer('/session', signedIn(1000, 10), signedIn(1000, 900))
    const seen = vi.fn()
    here.onCountdown(seen)
    await here.getSession()
    await there.getSession()
    await settled()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(seen).toHaveBeenLastCalledWith({ expiresIn: 999, idleExpiresIn: 899 })
  })
})

describe('the end of a session', () => {
  it('is asked for when the time is up, and only then told', async () => {
    page.answer('/session', signedIn(1000, 3), signedIn(997, 4), signedOut)
    const ended = vi.fn()
    here.onSessionEnded(ended)
    await here.getSession()
    await vi.advanceTimersByTimeAsync(6_000)
    expect(asked()).toBe(2)
    expect(ended).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(ended).toHaveBeenCalledOnce()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked()).toBe(3)
  })

  it('is not believed of a gateway that does not answer, which is asked in peace', async () => {
    page.answer('/session', signedIn(1000, 3), problem('session_store_unavailable', 503))
    const ended = vi.fn()
    here.onSessionEnded(ended)
    await here.getSession()
    await vi.advanceTimersByTimeAsync(63_000)
    expect(ended).not.toHaveBeenCalled()
    expect(asked()).toBeLessThanOrEqual(14)
  })

  it('is told to a listener that still listens, whatever the others throw', async () => {
    page.answer('/session', signedIn(), signedOut)
    const [first, second] = [vi.fn(), vi.fn()]
    const stop = here.onSessionEnded(first)
    here.onSessionEnded(second)
    stop()
    await here.getSession()
    await here.getSession()
    expect(first).not.toHaveBeenCalled()
    expect(second).toHaveBeenCalledOnce()
  })

  it('that never began is not told', async () => {
    page.answer('/session', signedOut)
    const ended = vi.fn()
    here.onSessionEnded(ended)
    await here.getSession()
    await here.getSession()
    expect(ended).not.toHaveBeenCalled()
  })

  it('is what the session of another user means to a page that shows the first', async () => {
    page.answer('/session', signedIn(3600, 1800, 'ada'), signedIn(3600, 1800, 'ben'))
    const ended = vi.fn()
    here.onSessionEnded(ended)
    await here.getSession()
    await there.getSession()
    await settled()
    expect(ended).toHaveBeenCalledOnce()
  })

  it('that one tab signs out is asked for by the others until it has happened', async () => {
    page.answer('/session', signedIn(), signedIn(), signedIn(), signedOut)
    const ended = vi.fn()
    there.onSessionEnded(ended)
    await there.getSession()
    here.logout()
    await settled()
    await vi.advanceTimersByTimeAsync(150)
    expect(ended).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(150)
    expect(ended).toHaveBeenCalledOnce()
  })

  it('that one tab learns makes the others ask, and nobody asks because of the answer', async () => {
    page.answer('/session', signedIn(), signedIn(), signedOut)
    const ended = vi.fn()
    there.onSessionEnded(ended)
    await there.getSession()
    await here.getSession()
    await here.getSession()
    await settled()
    expect(ended).toHaveBeenCalledOnce()
    expect(asked()).toBe(4)
  })

  it('is looked for when a hidden page is shown again', async () => {
    page.answer('/session', signedIn(), signedOut)
    const ended = vi.fn()
    here.onSessionEnded(ended)
    await here.getSession()
    page.show(false)
    await settled()
    expect(asked()).toBe(1)
    page.show(true)
    await settled()
    expect(ended).toHaveBeenCalledOnce()
  })
})

describe('asking for the session', () => {
  it('never goes out twice at once, and never answers with what was asked before the call', async () => {
    let answer: (response: Response) => void = () => undefined
    const slow = new Promise<Response>((resolve) => {
      answer = resolve
    })
    page.answer('/session', () => slow, signedOut)
    const first = here.getSession()
    await vi.advanceTimersByTimeAsync(0)
    const later = [here.getSession(), here.getSession()]
    await vi.advanceTimersByTimeAsync(0)
    expect(asked()).toBe(1)
    answer(Response.json({ authenticated: true, user: {}, expiresIn: 1, idleExpiresIn: 1 }))
    expect((await first).authenticated).toBe(true)
    expect((await Promise.all(later)).map(({ authenticated }) => authenticated)).toEqual([false, false])
    expect(asked()).toBe(2)
  })

  it('rejects with the problem of the gateway, and tells from it what is no answer of a gateway', async () => {
    page.answer(
      '/session',
      problem('session_store_unavailable', 503),
      reply(200, '<!doctype html>'),
      reply(502),
    )
    await expect(here.getSession()).rejects.toMatchObject({ code: 'session_store_unavailable', status: 503 })
    await expect(here.getSession()).rejects.toThrow('Does it reach the gateway?')
    const failure = here.getSession()
    await expect(failure).rejects.toThrow(GatewayProblem)
    await expect(failure).rejects.toMatchObject({ code: 'unknown', status: 502 })
  })

  it('asks again after activity, now and then', async () => {
    page.answer('/session', signedIn())
    page.answer('/api/orders', reply(200))
    await here.getSession()
    await here.apiFetch('/api/orders')
    expect(asked()).toBe(1)
    await vi.advanceTimersByTimeAsync(31_000)
    await here.apiFetch('/api/orders')
    await settled()
    expect(asked()).toBe(2)
  })
})

describe('staying signed in', () => {
  it('posts to the gateway and takes the new end', async () => {
    page.answer('/session', signedIn(1000, 10))
    page.answer('/session/refresh', signedIn(999, 900))
    const seen = vi.fn()
    here.onCountdown(seen)
    await here.getSession()
    expect(await here.refreshSession()).toMatchObject({ authenticated: true, idleExpiresIn: 900 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(seen).toHaveBeenLastCalledWith({ expiresIn: 998, idleExpiresIn: 899 })
    expect(page.requests.at(-1)).toMatchObject({ method: 'POST', path: '/session/refresh' })
  })

  it('says so when there is nothing left to keep', async () => {
    page.answer('/session', signedIn())
    page.answer('/session/refresh', problem('session_expired', 401))
    const ended = vi.fn()
    here.onSessionEnded(ended)
    await here.getSession()
    expect(await here.refreshSession()).toEqual({ authenticated: false, loginUrl: '/login' })
    expect(ended).toHaveBeenCalledOnce()
  })

  it('keeps the session when the store does not answer', async () => {
    page.answer('/session/refresh', problem('session_store_unavailable', 503))
    await expect(here.refreshSession()).rejects.toMatchObject({ status: 503 })
  })
})
