import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Coatcheck, createCoatcheck, LoginLoopError } from '../../src/client/client.ts'
import { messagesArrived, openPage, type Page, signedIn, signedOut } from './page.ts'

let page: Page
let tabs: Coatcheck[]

beforeEach(() => {
  tabs = []
})
afterEach(() => {
  for (const tab of tabs) tab.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function open(address?: string, authPrefix?: string): Coatcheck {
  if (tabs.length === 0) page = openPage(address)
  const tab = createCoatcheck(authPrefix === undefined ? {} : { authPrefix })
  tabs.push(tab)
  return tab
}

const leftTo = (returnTo: string) => [`/login?${new URLSearchParams({ returnTo })}`]

describe('a login', () => {
  it('resolves to the session when there is one, and goes nowhere', async () => {
    const tab = open()
    page.answer('/session', signedIn())
    expect(await tab.login()).toMatchObject({ authenticated: true })
    expect(page.left).toEqual([])
  })

  it('leaves for the login page of the gateway, with this page to come back to', async () => {
    const tab = open()
    page.answer('/session', signedOut)
    void tab.login()
    await vi.waitFor(() => expect(page.left).toEqual(leftTo('/orders?page=2#top')))
  })

  it('takes another return address, and parameters beside it', async () => {
    const tab = open()
    page.answer('/session', signedOut)
    void tab.login({ returnTo: '/cart', parameters: { login_hint: 'a@b.c', ui_locales: 'de' } })
    await vi.waitFor(() =>
      expect(page.left).toEqual(['/login?login_hint=a%40b.c&ui_locales=de&returnTo=%2Fcart']),
    )
  })

  it.each([
    ['the fragment', `/orders?page=2#${'x'.repeat(2_100)}`, '/orders?page=2'],
    ['the query', `/orders?${'x'.repeat(2_100)}`, '/orders'],
    ['all of it', `/${'x'.repeat(2_100)}`, '/'],
  ])(
    'leaves out %s where the address is longer than the gateway returns to',
    async (_what, address, kept) => {
      const tab = open(address)
      page.answer('/session', signedOut)
      void tab.login()
      await vi.waitFor(() => expect(page.left).toEqual(leftTo(kept)))
    },
  )

  it('that a person asked for leaves at once, signed in or not, under the prefix of the gateway', async () => {
    const tab = open('/', '/auth')
    void tab.login({ byUser: true })
    await vi.waitFor(() => expect(page.left).toEqual(['/auth/login?returnTo=%2F']))
    expect(page.requests).toEqual([])
  })
})

describe('a login loop', () => {
  it('is stopped at the third login within 60 seconds that no person asked for', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    const tab = open()
    page.answer('/session', signedOut)
    for (let count = 1; count <= 2; count += 1) {
      void tab.login()
      await vi.waitFor(() => expect(page.left).toHaveLength(count))
      // The page did not go: the lock is free again after a while.
      await vi.advanceTimersByTimeAsync(10_000)
    }
    await expect(tab.login()).rejects.toThrow(LoginLoopError)
    void tab.login({ byUser: true })
    await vi.waitFor(() => expect(page.left).toHaveLength(3))
    await vi.advanceTimersByTimeAsync(45_000)
    void tab.login()
    await vi.waitFor(() => expect(page.left).toHaveLength(4))
  })
})

describe('a page whose storage is full or forbidden', () => {
  it('signs in and knows it all the same', async () => {
    const tab = open()
    const refuse = (): never => {
      throw new DOMException('no', 'QuotaExceededError')
    }
    for (const kind of ['localStorage', 'sessionStorage'])
      vi.stubGlobal(kind, { getItem: refuse, setItem: refuse, removeItem: refuse })
    page.answer('/session', signedOut, signedIn())
    void tab.login()
    await vi.waitFor(() => expect(page.left).toHaveLength(1))
    expect(await tab.getSession()).toMatchObject({ authenticated: true })
  })
})

describe('a page whose clock is set back', () => {
  it('neither takes logins to come for a loop nor waits for another tab until then', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    const [tab, other] = [open(), open()]
    page.answer('/session', signedOut)
    page.blur()
    for (let count = 1; count <= 2; count += 1) {
      void tab.login()
      await vi.waitFor(() => expect(page.left).toHaveLength(count))
      await vi.advanceTimersByTimeAsync(10_000)
    }
    vi.setSystemTime(Date.now() - 3_600_000)
    void tab.login()
    await vi.waitFor(() => expect(page.left).toHaveLength(3))
    await vi.advanceTimersByTimeAsync(10_000)
    void other.login({ byUser: true })
    await messagesArrived()
    vi.setSystemTime(Date.now() - 3_600_000)
    void tab.login()
    await vi.waitFor(() => expect(page.left).toHaveLength(5))
  })
})

describe('thirty calls at once', () => {
  it('are one login, also where the page does not go', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    const tab = open()
    page.answer('/session', signedOut)
    const logins = Array.from({ length: 30 }, () => tab.login())
    await vi.waitFor(() => expect(page.left).toHaveLength(1))
    await vi.advanceTimersByTimeAsync(120_000)
    expect(page.left).toHaveLength(1)
    const settled = vi.fn()
    for (const login of logins) login.then(settled, settled)
    await vi.advanceTimersByTimeAsync(0)
    expect(settled).not.toHaveBeenCalled()
    // Somebody has pressed Stop, and the page asks for another login.
    void tab.login()
    await vi.waitFor(() => expect(page.left).toHaveLength(2))
  })
})

describe('a page that comes back from the back/forward cache after it has left', () => {
  it('takes the session that there is meanwhile', async () => {
    const tab = open()
    page.answer('/session', signedOut, signedIn())
    const login = tab.login()
    await vi.waitFor(() => expect(page.left).toHaveLength(1))
    page.comeBack()
    expect(await login).toMatchObject({ authenticated: true })
    expect(page.left).toHaveLength(1)
  })

  it('leaves once more where there is none, and never a third time', async () => {
    const tab = open()
    page.answer('/session', signedOut)
    const login = tab.login()
    await vi.waitFor(() => expect(page.left).toHaveLength(1))
    page.comeBack()
    await vi.waitFor(() => expect(page.left).toHaveLength(2))
    page.comeBack()
    await expect(login).rejects.toThrow(LoginLoopError)
  })
})

describe('several tabs', () => {
  it('let one leave, and the others take the session that it comes back with', async () => {
    const [first, second, third] = [open(), open(), open()]
    page.answer('/session', signedOut)
    const outcomes = [first, second, third].map((tab) => tab.login())
    await vi.waitFor(() => expect(page.left).toHaveLength(1))
    page.dropLock()
    await vi.waitFor(() => expect(page.requests).toHaveLength(3))
    page.answer('/session', signedIn())
    await open().getSession()
    const sessions = await Promise.all(outcomes.slice(1))
    expect(sessions.map(({ authenticated }) => authenticated)).toEqual([true, true])
    expect(page.left).toHaveLength(1)
  })

  it('stay where they are while they are hidden', async () => {
    const tab = open()
    page.answer('/session', signedOut)
    page.show(false)
    void tab.login()
    await new Promise((resolve) => setImmediate(resolve))
    expect(page.left).toEqual([])
    page.show(true)
    await vi.waitFor(() => expect(page.left).toHaveLength(1))
  })

  it('do not wait for another window once a person turns to this one', async () => {
    const [first, second] = [open(), open()]
    page.answer('/session', signedOut)
    void first.login({ byUser: true })
    await messagesArrived()
    void second.login()
    await messagesArrived()
    expect(page.left).toHaveLength(1)
    page.focus()
    await vi.waitFor(() => expect(page.left).toHaveLength(2))
  })

  it('hear what was said before the lock came, though it arrives later', async () => {
    const [first, second] = [open(), open()]
    page.answer('/session', signedOut)
    // The other page's note is on its way as well.
    vi.stubGlobal('localStorage', {
      getItem: () => null,
      setItem: () => undefined,
      removeItem: () => undefined,
    })
    void first.login({ byUser: true })
    void second.login()
    await vi.waitFor(() => expect(page.requests).toHaveLength(1))
    await messagesArrived()
    expect(page.left).toHaveLength(1)
  })

  it('wait for a login elsewhere that began before they were opened, unless a person looks at them', async () => {
    const first = open()
    page.answer('/session', signedOut)
    void first.login({ byUser: true })
    page.blur()
    void open().login()
    await messagesArrived()
    expect(page.left).toHaveLength(1)
    page.focus()
    await vi.waitFor(() => expect(page.left).toHaveLength(2))
    page.dropLock()
    void open().login()
    await vi.waitFor(() => expect(page.left).toHaveLength(3))
  })

  it('do not wait for a login that is over when they are opened', async () => {
    void open().login({ byUser: true })
    page.answer('/session', signedIn(), signedOut)
    await open().getSession()
    page.blur()
    void open().login()
    await vi.waitFor(() => expect(page.left).toHaveLength(2))
  })

  it('wait a minute for a login elsewhere, and no longer', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    const [first, second] = [open(), open()]
    page.answer('/session', signedOut)
    void first.login({ byUser: true })
    await messagesArrived()
    void second.login()
    await vi.advanceTimersByTimeAsync(59_000)
    expect(page.left).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1_000)
    await vi.waitFor(() => expect(page.left).toHaveLength(2))
  })
})

describe('a logout', () => {
  it('is a form post to the gateway, so that no script reads where it leads', async () => {
    const tab = open('/', '/auth')
    tab.logout({ returnTo: '/goodbye' })
    tab.logout()
    expect(page.forms).toEqual([
      { method: 'post', action: '/auth/logout?returnTo=%2Fgoodbye' },
      { method: 'post', action: '/auth/logout' },
    ])
    expect(page.requests).toEqual([])
  })
})

describe('a helper', () => {
  it.each([
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    'javascript:',
    'https://app.example.test:1',
  ])('is not made for the gateway of another origin: %s', (authPrefix) => {
    expect(() => open('/', authPrefix)).toThrow(TypeError)
  })

  it('goes to no other origin, though the gateway itself named it', async () => {
    const tab = open()
    page.answer('/session', () => Response.json({ authenticated: false, loginUrl: '//evil.example/login' }))
    await expect(tab.login()).rejects.toThrow(TypeError)
    expect(page.left).toEqual([])
  })
})
