import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Coatcheck, createCoatcheck, type Session } from '../../src/client/client.ts'
import { messagesArrived, openPage, type Page, problem, signedIn, signedOut } from './page.ts'

let page: Page
/** Two helpers on one origin: what two tabs are to each other. */
let here: Coatcheck
let there: Coatcheck
const changes: string[] = []

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  page = openPage()
  here = createCoatcheck()
  there = createCoatcheck()
  here.onSessionChanged((session) => changes.push(nameOf(session)))
})
afterEach(() => {
  here.close()
  there.close()
  changes.length = 0
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const nameOf = (session: Session): string => (session.authenticated ? String(session.user.sub) : 'nobody')
const asked = () => page.requests.filter(({ path }) => path === '/session').length
const settled = (): Promise<void> => messagesArrived(() => vi.advanceTimersByTimeAsync(1))

describe('who is signed in', () => {
  it('is told at the first answer and when it changes, not when only time has passed', async () => {
    page.answer('/session', signedIn(1000), signedIn(900), signedIn(800, 700, 'bob'), signedOut)
    for (let at = 0; at < 5; at += 1) await here.getSession()
    expect(changes).toEqual(['alice', 'bob', 'nobody'])
  })

  it('is asked for and told when another tab signs in', async () => {
    page.answer('/session', signedOut, signedIn())
    await here.getSession()
    await vi.advanceTimersByTimeAsync(1_000)
    await there.getSession()
    await settled()
    expect(changes).toEqual(['nobody', 'alice'])
    expect(asked()).toBe(3)
  })

  it('is no endless conversation between tabs that are told different things', async () => {
    let at = 0
    page.answer('/session', () => {
      at += 1
      return at % 2 === 0 ? signedIn()({} as never) : signedOut({} as never)
    })
    await here.getSession()
    for (let second = 0; second < 20; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000)
      if (second === 0) await there.getSession()
      await settled()
    }
    expect(asked()).toBeLessThan(6)
  })

  it('stays as it is when the gateway does not say', async () => {
    page.answer('/session', signedIn(), problem('session_store_unavailable', 503))
    await here.getSession()
    await expect(here.getSession()).rejects.toMatchObject({ code: 'session_store_unavailable' })
    expect(changes).toEqual(['alice'])
  })

  it('is looked for when a page comes back from the back/forward cache, signed in or out', async () => {
    page.answer('/session', signedOut, signedIn())
    await here.getSession()
    page.comeBack()
    await settled()
    expect(changes).toEqual(['nobody', 'alice'])
  })

  it('is not told to whoever has stopped listening', async () => {
    const listener = vi.fn()
    here.onSessionChanged(listener)()
    page.answer('/session', signedIn())
    await here.getSession()
    expect(listener).not.toHaveBeenCalled()
  })
})

describe('without a browser', () => {
  it('the helper can be created and listened to, and refuses what only a browser can do', async () => {
    vi.stubGlobal('document', undefined)
    vi.stubGlobal('BroadcastChannel', undefined)
    const rendered = createCoatcheck({ authPrefix: '/auth' })
    rendered.onSessionChanged(() => undefined)()
    rendered.openEventSource('/api/events', () => undefined)()
    await expect(rendered.getSession()).rejects.toThrow('works in a browser')
    await expect(rendered.apiFetch('/api/orders')).rejects.toThrow('works in a browser')
    expect(() => rendered.logout()).toThrow('works in a browser')
    rendered.close()
  })
})
