import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { ownFetch, send, startHouse, type TestHouse } from '../support/worlds/house.ts'

/** Takes connections and says nothing. */
let silent: Server
let silentIssuer: string
let world: TestHouse | undefined
beforeAll(async () => {
  silent = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  silentIssuer = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`
})
afterEach(() => world?.stop())
afterAll(() => void silent.close())

const nowhere = { ISSUER_URL: 'http://127.0.0.1:1/' }

async function readiness({ port }: TestHouse) {
  const answer = await send(port, '/readyz', { headers: { host: 'probe' } })
  return { status: answer.status, ...answer.json() } as {
    readonly status: number
    readonly ready: boolean
    readonly checks: Record<string, { ready: boolean; reason?: string }>
    readonly frontends: Record<string, { ready: boolean; reason?: string }>
  }
}

describe('/readyz of several frontends', () => {
  it('is ready with one issuer found, names those that were not, and has built nobody', async () => {
    const house = await startHouse({ changes: { shop: nowhere, till: nowhere } })
    world = house
    await eventually(async () => expect((await readiness(house)).status).toBe(200))
    const { frontends } = await readiness(house)
    expect(frontends).toMatchObject({
      shop: { ready: false, reason: expect.stringMatching(/./) },
      desk: { ready: true },
      till: { ready: false },
    })
    expect(house.providers.desk.count('/.well-known/openid-configuration')).toBe(1)
  })

  it('is not ready while no issuer was found', async () => {
    const house = await startHouse({ changes: { shop: nowhere, desk: nowhere, till: nowhere } })
    world = house
    await eventually(async () =>
      expect(await readiness(house)).toMatchObject({
        status: 503,
        checks: { provider: { ready: false, reason: 'no issuer was found' }, store: { ready: true } },
      }),
    )
    expect((await send(house.port, '/livez', { headers: { host: 'probe' } })).status).toBe(200)
    // The file is mended; nobody waits for the next try of those that were not found.
    await house.reload({})
    await eventually(async () => expect((await readiness(house)).status).toBe(200))
  })

  it('waits for an issuer that does not answer until its time is out, and then for nobody', async () => {
    const house = await startHouse({ changes: { till: { ISSUER_URL: silentIssuer, PROVIDER_TIMEOUT: '2' } } })
    world = house
    expect(await readiness(house)).toMatchObject({
      status: 503,
      checks: { provider: { reason: 'not every issuer has been tried yet' } },
    })
    await eventually(
      async () =>
        expect(await readiness(house)).toMatchObject({ status: 200, frontends: { till: { ready: false } } }),
      9_000,
    )
    // The others serve meanwhile and after.
    const cookie = await house.signIn('shop')
    expect(cookie).not.toBe('')
  })

  it('is told while the event loop is too late for every frontend, which answers 503', async () => {
    const house = await startHouse({ shedder: { share: () => 1 } })
    world = house
    const answer = await house.ask('shop', '/session', { headers: ownFetch })
    expect([answer.status, answer.json().code]).toEqual([503, 'overloaded'])
    await eventually(async () => expect((await readiness(house)).status).toBe(200))
    expect((await send(house.port, '/livez', {})).status).toBe(200)
  })
})
