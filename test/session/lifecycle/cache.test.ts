import { beforeEach, describe, expect, it } from 'vitest'
import {
  createCacheRoom,
  createSessionCache,
  type SessionCache,
} from '../../../src/session/lifecycle/cache.ts'
import type { SessionView } from '../../../src/session/record/session.ts'
import { type PlayedChanges, playChanges } from '../support/controlled-store.ts'
import { accessToken, type Clock, createClock } from '../support/sessions-world.ts'

let clock: Clock
let changes: PlayedChanges
let cache: SessionCache
let view: SessionView

beforeEach(() => {
  clock = createClock()
  changes = playChanges()
  cache = createSessionCache(createCacheRoom(2), { changes, now: clock.now })
  view = viewNamed('h1')
})

function viewNamed(h: string): SessionView {
  return {
    h,
    writeId: 'w',
    createdAtMs: clock.now(),
    endsAtMs: clock.now() + 60_000,
    lastSeenAtMs: clock.now(),
    access: { default: accessToken('t', clock.now()) },
    canRefresh: true,
    sessionRef: 's',
    userRef: 'u',
  }
}

function fill(one: SessionView): void {
  cache.endRead(cache.beginRead(one.h), one)
}

describe('the session cache', () => {
  it('gives back what was read', () => {
    fill(view)
    expect(cache.get('h1')).toBe(view)
    expect(cache.get('h2')).toBeUndefined()
  })

  it('forgets a session when it changes anywhere', () => {
    fill(view)
    changes.tell('other')
    expect(cache.get('h1')).toBe(view)
    changes.tell('h1')
    expect(cache.get('h1')).toBeUndefined()
  })

  it.each(['h1', undefined])('never keeps a read that a change of %s has crossed', (changed) => {
    const ticket = cache.beginRead('h1')
    changes.tell(changed)
    cache.endRead(ticket, view)
    expect(cache.get('h1')).toBeUndefined()
  })

  it('never keeps a read that an interruption has crossed, even one that was over before the read', () => {
    const ticket = cache.beginRead('h1')
    changes.interrupt()
    changes.resume()
    cache.endRead(ticket, view)
    expect(cache.get('h1')).toBeUndefined()
  })

  it('keeps the read that began after the change, not the one before it', () => {
    const before = cache.beginRead('h1')
    cache.evict('h1')
    const after = cache.beginRead('h1')
    cache.endRead(before, { ...view, writeId: 'old' })
    expect(cache.get('h1')).toBeUndefined()
    cache.endRead(after, view)
    expect(cache.get('h1')).toBe(view)
  })

  it('keeps and uses nothing while changes may go unheard', () => {
    fill(view)
    changes.interrupt()
    expect(cache.isOpen()).toBe(false)
    expect(cache.get('h1')).toBeUndefined()
    fill(view)
    changes.resume()
    expect(cache.get('h1')).toBeUndefined()
    expect(cache.isOpen()).toBe(true)
  })

  it('drops everything when the epoch grew, even if nobody told it', () => {
    let epoch = 0
    const silent = { ...changes, epoch: () => epoch }
    cache = createSessionCache(createCacheRoom(2), { changes: silent, now: clock.now })
    fill(view)
    epoch = 1
    expect(cache.get('h1')).toBeUndefined()
  })

  it('keeps nothing longer than 10 s', () => {
    fill(view)
    clock.advance(9_999)
    expect(cache.get('h1')).toBe(view)
    clock.advance(1)
    expect(cache.get('h1')).toBeUndefined()
  })

  it("keeps nothing past the session's end", () => {
    fill({ ...view, endsAtMs: clock.now() + 5 })
    clock.advance(5)
    expect(cache.get('h1')).toBeUndefined()
  })

  it('stays within its size and gives up what was used longest ago', () => {
    fill(view)
    fill(viewNamed('h2'))
    cache.get('h1')
    fill(viewNamed('h3'))
    expect(['h1', 'h2', 'h3'].map((h) => cache.get(h)?.h)).toEqual(['h1', undefined, 'h3'])
  })

  it('keeps fewer sessions when their tokens are long, and none whose tokens would fill it', () => {
    const withToken = (h: string, length: number): SessionView => ({
      ...viewNamed(h),
      access: { default: accessToken('t'.repeat(length), clock.now()) },
    })
    fill(withToken('h1', 3_000))
    fill(withToken('h2', 6_500))
    expect(['h1', 'h2'].map((h) => cache.get(h)?.h)).toEqual([undefined, 'h2'])
    fill(withToken('h3', 10_000))
    expect(['h2', 'h3'].map((h) => cache.get(h)?.h)).toEqual(['h2', undefined])
  })

  it('notes later activity only, and none of what it does not hold', () => {
    fill(view)
    cache.noteActivity('h1', view.lastSeenAtMs + 7)
    cache.noteActivity('h1', view.lastSeenAtMs + 3)
    cache.noteActivity('h2', 1)
    expect(cache.get('h1')?.lastSeenAtMs).toBe(view.lastSeenAtMs + 7)
    expect(cache.get('h2')).toBeUndefined()
  })

  it('of size 0 is always closed', () => {
    cache = createSessionCache(createCacheRoom(0), { changes, now: clock.now })
    fill(view)
    expect(cache.isOpen()).toBe(false)
    expect(cache.get('h1')).toBeUndefined()
  })
})
