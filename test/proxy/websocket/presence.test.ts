import { describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { Presence } from '../../../src/proxy/websocket/presence.ts'

/** A browser's end that notes when it is asked. */
function browserOf() {
  const pings: Buffer[] = []
  const state = { isPaused: false, readyState: 1, OPEN: 1, ping: (data: Buffer) => void pings.push(data) }
  const connection = { isFlushing: () => false }
  const presence = new Presence(state as unknown as WebSocket, connection)
  /** Lets so many seconds pass; resolves to the second at which it was given up. */
  const pass = (seconds: number): number => {
    for (let sweep = 1; sweep <= seconds * 4; sweep += 1) if (presence.isGone()) return sweep / 4
    return 0
  }
  return { presence, pings, state, connection, pass }
}

describe('a browser whose WebSocket is silent', () => {
  it('is asked after a minute, and is gone within three when it does not answer', () => {
    const { pings, pass } = browserOf()
    expect(pass(59)).toBe(0)
    expect(pings).toHaveLength(0)
    expect(pass(1)).toBe(0)
    expect(pings).toHaveLength(1)
    expect(pass(600)).toBeLessThanOrEqual(120)
  })

  it('stays for ever when it answers, and the answer concerns nobody else', () => {
    const { presence, pings, pass } = browserOf()
    for (let minute = 1; minute < 100; minute += 1) {
      expect(pass(60)).toBe(0)
      expect(pings).toHaveLength(minute)
      expect(presence.heard('pong', pings.at(-1) ?? Buffer.alloc(0))).toBe(false)
    }
  })

  it.each(['message', 'ping', 'pong'] as const)(
    'is there with any %s of its own, which is passed on',
    (frame) => {
      const { presence, pings, pass } = browserOf()
      for (let count = 0; count < 100; count += 1) {
        expect(pass(30)).toBe(0)
        expect(presence.heard(frame, Buffer.from('its own'))).toBe(true)
      }
      expect(pings).toHaveLength(0)
    },
  )

  it('is not given up while it is not read from, or slowly reads what waits for it', () => {
    const { state, connection, pass } = browserOf()
    state.isPaused = true
    expect(pass(600)).toBe(0)
    state.isPaused = false
    connection.isFlushing = () => true
    expect(pass(600)).toBe(0)
    connection.isFlushing = () => false
    expect(pass(600)).toBeGreaterThan(0)
  })
})
