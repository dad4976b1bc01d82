import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Coatcheck, createCoatcheck } from '../../src/client/client.ts'
import { openPage, type Page, problem, signedIn, signedOut } from './page.ts'

/** As much of an `EventSource` and a `WebSocket` as the helper touches. */
class FakeConnection extends EventTarget {
  static made: FakeConnection[] = []
  readonly CLOSED = 2
  readonly url: string
  readyState = 0
  isClosed = false
  constructor(url: string | URL) {
    super()
    this.url = String(url)
    FakeConnection.made.push(this)
  }
  close(): void {
    this.isClosed = true
  }
  fail(): void {
    this.readyState = this.CLOSED
    this.dispatchEvent(new Event('error'))
  }
  end(code: number): void {
    this.dispatchEvent(Object.assign(new Event('close'), { code }))
  }
}

let page: Page
let coatcheck: Coatcheck
const made = FakeConnection.made
const last = (): FakeConnection => made.at(-1) ?? new FakeConnection('none')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  page = openPage()
  vi.stubGlobal('EventSource', FakeConnection)
  vi.stubGlobal('WebSocket', FakeConnection)
  made.length = 0
  coatcheck = createCoatcheck()
})
afterEach(() => {
  coatcheck.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const openBoth = [
  ['an event stream', () => coatcheck.openEventSource('/api/events', () => undefined), () => last().fail()],
  ['a WebSocket', () => coatcheck.openWebSocket('/api/live', () => undefined), () => last().end(4401)],
] as const

describe.each(openBoth)('%s', (_what, open, lose) => {
  it('is opened again when it was lost and somebody is signed in, later from loss to loss', async () => {
    page.answer('/session', signedIn())
    open()
    for (const [losses, waitMs] of [1_000, 2_000, 4_000].entries()) {
      lose()
      await vi.advanceTimersByTimeAsync(waitMs / 2 - 1)
      expect(made).toHaveLength(losses + 1)
      await vi.advanceTimersByTimeAsync(waitMs)
      expect(made).toHaveLength(losses + 2)
    }
  })

  it('waits for the next sign-in when the session has ended', async () => {
    page.answer('/session', signedIn(), signedOut, signedIn())
    await coatcheck.getSession()
    open()
    lose()
    await vi.advanceTimersByTimeAsync(120_000)
    expect(made).toHaveLength(1)
    await coatcheck.getSession()
    await vi.advanceTimersByTimeAsync(0)
    expect(made).toHaveLength(2)
  })

  it('takes a fault of the gateway for no sign-out', async () => {
    page.answer('/session', problem('session_store_unavailable', 503))
    open()
    lose()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(made).toHaveLength(2)
  })

  it('is closed at a sign-out, and opened again when the page comes back from the back/forward cache', async () => {
    page.answer('/session', signedIn(), signedIn(), signedOut)
    await coatcheck.getSession()
    open()
    page.comeBack()
    expect(made).toHaveLength(2)
    expect(made[0]?.isClosed).toBe(true)
    await coatcheck.getSession()
    await coatcheck.getSession()
    await vi.advanceTimersByTimeAsync(0)
    expect(last().isClosed).toBe(true)
  })

  it('is over when it is stopped', async () => {
    page.answer('/session', signedIn())
    const stop = open()
    lose()
    stop()
    page.comeBack()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(made).toHaveLength(1)
  })
})

describe('the address of a stream', () => {
  it('is one of this origin, with the scheme that belongs to it', () => {
    coatcheck.openEventSource('/api/events?x=1', () => undefined)
    expect(last().url).toBe('https://app.example.test/api/events?x=1')
    coatcheck.openWebSocket('/api/live', () => undefined)
    expect(last().url).toBe('wss://app.example.test/api/live')
  })

  it.each(['https://evil.example/x', '//evil.example/x', 'wss://evil.example/x'])(
    'is refused when it is %s',
    (address) => {
      expect(() => coatcheck.openEventSource(address, () => undefined)).toThrow(TypeError)
      expect(() => coatcheck.openWebSocket(address, () => undefined)).toThrow(TypeError)
      expect(made).toHaveLength(0)
    },
  )
})

it('leaves a WebSocket closed that was closed in order', async () => {
  page.answer('/session', signedIn())
  coatcheck.openWebSocket('/api/live', () => undefined)
  last().end(1000)
  await vi.advanceTimersByTimeAsync(60_000)
  page.comeBack()
  page.answer('/session', signedOut, signedIn())
  await coatcheck.getSession()
  await coatcheck.getSession()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(made).toHaveLength(1)
})

describe('the proof of a device', () => {
  const boundFor = (deviceExpiresIn: number) =>
    signedIn(3600, 1800, 'alice', { device: 'bound', deviceExpiresIn })
  const questions = (): number => page.requests.filter(({ path }) => path === '/session').length

  it('is asked for when it ends while a stream is open, and not without one', async () => {
    page.answer('/session', boundFor(600), boundFor(0), boundFor(600))
    const stop = coatcheck.openWebSocket('/api/live', () => undefined)
    await vi.advanceTimersByTimeAsync(0)
    expect(questions()).toBe(1)
    await vi.advanceTimersByTimeAsync(599_000)
    expect(questions()).toBe(1)
    // The browser did not renew it at once.
    await vi.advanceTimersByTimeAsync(2_000)
    expect(questions()).toBe(3)
    stop()
    await vi.advanceTimersByTimeAsync(700_000)
    expect(questions()).toBe(3)
  })

  it('is asked for every five seconds by a browser that does not renew it', async () => {
    page.answer('/session', ...Array.from({ length: 60 }, () => boundFor(0)))
    coatcheck.openEventSource('/api/events', () => undefined)
    await vi.advanceTimersByTimeAsync(1_500)
    expect(questions()).toBe(2)
    await vi.advanceTimersByTimeAsync(50_000)
    expect(questions()).toBe(12)
  })

  it('is asked for again when the gateway did not answer', async () => {
    page.answer('/session', boundFor(600), problem('session_store_unavailable', 503), boundFor(600))
    coatcheck.openEventSource('/api/events', () => undefined)
    await vi.advanceTimersByTimeAsync(600_000)
    expect(questions()).toBe(2)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(questions()).toBe(3)
  })

  it('is no concern of a session that is bound to none', async () => {
    page.answer('/session', signedIn())
    coatcheck.openWebSocket('/api/live', () => undefined)
    await vi.advanceTimersByTimeAsync(3_000_000)
    expect(questions()).toBe(1)
  })
})
