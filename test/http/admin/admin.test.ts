import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { type Admin, createAdmin } from '../../../src/http/admin/admin.ts'
import { silentLogger } from '../../../src/telemetry/logs/logger.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/ports.ts'

/** More than the system takes from a server whose client does not read. */
const largeText = 'x'.repeat(8_000_000)

let admin: Admin

afterEach(() => admin.close())

it('a client that asks without end and reads nothing is answered a few at a time, and is closed when there are too many', async () => {
  let asked = 0
  const metrics = async (): Promise<string> => {
    asked += 1
    return largeText
  }
  admin = createAdmin(
    { metrics, isLive: async () => true, readiness: async () => ({ ready: true }) as never },
    silentLogger(),
  )
  const adminPort = await freePort()
  await admin.listen({ adminPort, adminHost: '127.0.0.1' })
  const scrape = 'GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n'
  const some = connect(adminPort, '127.0.0.1')
  await once(some, 'connect')
  some.write(scrape.repeat(500))
  await eventually(() => expect(asked).toBe(32))
  const many = connect(adminPort, '127.0.0.1').on('error', () => undefined)
  many.write(scrape.repeat(2_000))
  await new Promise((resolve) => many.once('close', resolve))
  expect(asked).toBe(64)
  some.destroy()
})
