import { expect, it } from 'vitest'
import type { Frontend } from '../../src/app.ts'
import type { FrontendConfig } from '../../src/config/frontends/load-house.ts'
import { Room } from '../../src/house/room.ts'

it.each<[string, (room: Room) => Promise<void>]>([
  ['idle', (room) => room.closeIfIdle(0)],
  ['replaced', (room) => room.drain(10_000)],
])(
  'a process that stops waits for a frontend that is being taken down because it was %s',
  async (_why, leave) => {
    const closing = Promise.withResolvers<undefined>()
    const events: string[] = []
    const frontend = {
      drainStreams: async () => undefined,
      close: () => closing.promise.then(() => void events.push('closed')),
    } as unknown as Frontend
    const room = new Room({ config: {} } as FrontendConfig, async () => frontend)
    await room.open()
    const left = leave(room)
    const stopped = room.drain(0).then(() => void events.push('stopped'))
    // Longer than it takes to find nobody in it.
    setTimeout(() => closing.resolve(undefined), 50)
    await Promise.all([left, stopped])
    expect(events).toEqual(['closed', 'stopped'])
    expect(room.frontend).toBeUndefined()
  },
)

it('a look for idle frontends does not see one that is being put together, however long nobody came', async () => {
  const building = Promise.withResolvers<Frontend>()
  let built = 0
  const room = new Room({ config: {} } as FrontendConfig, () => {
    built += 1
    return building.promise
  })
  const first = room.open()
  await room.closeIfIdle(0)
  const second = room.open()
  const frontend = {} as unknown as Frontend
  building.resolve(frontend)
  expect(await Promise.all([first, second])).toEqual([frontend, frontend])
  expect(built).toBe(1)
})
