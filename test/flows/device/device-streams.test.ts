import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSoftwareDevice } from '../../support/browser/software-device.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({
    gateways: 2,
    settings: { DEVICE_BINDING: 'auto', DEVICE_BINDING_LIFETIME: '2', RATE_LIMIT: 'off' },
  })
})
afterAll(() => world.stop())

// Whoever copied the session cookie before it was bound may have opened one then.
test('an event stream, one that is older than the binding too, outlives the proof of its time while the browser renews it on another node, and ends when it does not', async () => {
  const tab = await world.signIn(world.browser({ via: 'in turn' }))
  const device = createSoftwareDevice()
  const offer = String((await tab.fetch('/session')).headers['secure-session-registration'])
  const early = await tab.stream('/api/events')
  early.resume()
  const earlyClosed = once(early, 'close')
  const sessionId = String((await device.register(tab, offer)).json().session_identifier)
  const stream = await tab.stream('/api/events')
  expect(stream.statusCode).toBe(200)
  stream.resume()
  const closed = once(stream, 'close')
  const openedMs = performance.now()
  // Until the first value has ended twice over, its tolerance of 200 ms included.
  while (performance.now() - openedMs < 5_000) {
    const answer = await device.renew(tab, sessionId)
    expect(answer.status).toBe(200)
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 500))])
    expect([early.destroyed, stream.destroyed]).toEqual([false, false])
  }
  const renewedMs = performance.now()
  await Promise.all([closed, earlyClosed])
  expect(performance.now() - renewedMs).toBeGreaterThan(1_000)
  expect((await tab.fetch('/session')).json().authenticated).toBe(true)
})
