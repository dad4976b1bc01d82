import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openExchange } from '../../support/exchange.ts'
import { type AccessWorld, ownPage, startAccessWorld } from '../../support/worlds/access-world.ts'

let world: AccessWorld
/** What the access tokens of users say from now on. */
let permissions: readonly string[] = []

beforeAll(async () => {
  const callers = ['session', 'bearer']
  world = await startAccessWorld(
    [
      { prefix: '/user', callers },
      { prefix: '/minted', callers, token: 'gateway', require: { permissions: 'read' } },
      { prefix: '/fresh', callers, require: { maxAge: 60 } },
      { prefix: '/machine', token: 'none', require: { permissions: 'read' } },
    ],
    { RATE_LIMIT: 'off' },
  )
  world.provider.faults.accessToken = (claims) => {
    claims.permissions = permissions
    return undefined
  }
  world.provider.faults.idToken = (claims) => {
    claims.auth_time = Math.floor(world.nowMs() / 1_000)
  }
  world.api.onWebSocket(() => undefined)
  world.api.on('/events', openStream)
}, 60_000)
afterAll(() => world.stop())

const openStream: Parameters<AccessWorld['api']['on']>[1] = (response) =>
  void response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()

type Headers = Readonly<Record<string, string>>

interface OpenStream {
  readonly isOpen: () => boolean
  /** How it was closed: a WebSocket's code, `in order` or `cut` for an event stream. */
  readonly closed: Promise<unknown>
  leave(): void
}

async function openSocket(route: string, headers: Headers): Promise<OpenStream> {
  const socket = new WebSocket(`${world.origin.replace('http', 'ws')}${route}/socket`, {
    headers: { ...headers, origin: world.origin },
  })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  return { isOpen: () => socket.readyState === socket.OPEN, closed, leave: () => socket.terminate() }
}

async function openEvents(route: string, headers: Headers): Promise<OpenStream> {
  const url = new URL(`${route}/events`, world.origin)
  const answer: IncomingMessage = await openExchange({
    method: 'GET',
    url,
    headers: { ...headers, ...ownPage },
  })
  expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'text/event-stream'])
  let isOpen = true
  const closed = new Promise((resolve) =>
    answer
      .resume()
      .once('close', () => resolve(answer.complete ? 'in order' : 'cut'))
      .on('error', () => undefined),
  ).finally(() => {
    isOpen = false
  })
  return { isOpen: () => isOpen, closed, leave: () => answer.destroy() }
}

const ofBearer = async (claims: Readonly<Record<string, unknown>> = {}): Promise<Headers> => ({
  authorization: `Bearer ${await world.bearer({ permissions: ['read'], ...claims })}`,
})
const ofSession = async (): Promise<Headers> => ({ cookie: await world.signIn() })

describe.each([
  { kind: 'a WebSocket', open: openSocket, atEnd: 4401, atRights: 4403 },
  { kind: 'an event stream', open: openEvents, atEnd: 'in order', atRights: 'in order' },
])('$kind', ({ open, atEnd, atRights }) => {
  it.each(['/user', '/minted'])(
    'of a bearer on %s ends at the `exp` of its token, and no sooner',
    async (route) => {
      permissions = ['read']
      const exp = Math.floor(world.nowMs() / 1_000) + 100
      const stream = await open(route, await ofBearer({ exp }))
      const longer = await open(route, await ofBearer({ exp: exp + 3_600 }))
      const session = await open(route, await ofSession())
      world.pass(90_000)
      await oneScan()
      expect(stream.isOpen()).toBe(true)
      world.pass(11_000)
      expect(await stream.closed).toBe(atEnd)
      expect([longer.isOpen(), session.isOpen()]).toEqual([true, true])
      longer.leave()
      session.leave()
    },
  )

  it('ends when the sign-in of a session or a bearer gets too old for its rule', async () => {
    const auth_time = Math.floor(world.nowMs() / 1_000)
    const streams = [
      await open('/fresh', await ofSession()),
      await open('/fresh', await ofBearer({ auth_time })),
    ]
    const other = await open('/user', await ofSession())
    world.pass(61_000)
    expect(await Promise.all(streams.map(({ closed }) => closed))).toEqual([atRights, atRights])
    expect(other.isOpen()).toBe(true)
    other.leave()
  })

  it.each(['/minted', '/machine'])(
    'on %s ends when a refresh brings a token without what the rule asks, and lives on when it does not',
    async (route) => {
      permissions = ['read']
      const headers = await ofSession()
      const stream = await open(route, headers)
      const unruled = await open('/user', headers)
      world.pass(700_000)
      permissions = ['read', 'write']
      expect((await world.get('/user/x', { ...headers, ...ownPage })).status).toBe(200)
      await oneScan()
      expect(stream.isOpen()).toBe(true)
      world.pass(700_000)
      permissions = ['write']
      expect((await world.get('/user/x', { ...headers, ...ownPage })).status).toBe(200)
      expect(await stream.closed).toBe(atRights)
      expect(unruled.isOpen()).toBe(true)
      unruled.leave()
    },
  )
})

/** Until open calls were surely looked through: another bearer's stream, which has to end, has ended. */
async function oneScan(): Promise<void> {
  const exp = Math.floor(world.nowMs() / 1_000) + 2
  const canary = await openSocket('/user', await ofBearer({ exp }))
  await canary.closed
}
