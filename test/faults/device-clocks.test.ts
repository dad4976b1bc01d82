import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { challengeOf, createSoftwareDevice, type Sender } from '../support/browser/software-device.ts'
import { eventually } from '../support/eventually.ts'
import { exchange } from '../support/exchange.ts'
import { expectProblem } from '../support/expect-problem.ts'
import type { RunningGateway } from '../support/gateway/gateway.ts'
import { type FaultWorld, startFaultWorld } from '../support/worlds/fault-world.ts'

/** Much shorter than the clocks are off. */
const lifetimeSeconds = 20

let world: FaultWorld
let neighbour: RunningGateway

/** A browser's cookies, whichever node it is sent to. */
function openBrowser(longCookie: string) {
  const cookies = new Map([longCookie.split('=') as [string, string]])
  const at = (port: number): Sender => ({
    async fetch(path, { method, headers }) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await exchange({
        method,
        url: new URL(path, 'https://app.example.test'),
        headers: { cookie, 'x-csrf': '1', ...headers },
        address: { host: '127.0.0.1', port },
      })
      for (const set of answer.setCookies) {
        const [name = '', value = ''] = set.split(';')[0]?.split('=') ?? []
        cookies.set(name, value)
      }
      return answer
    },
  })
  return { ours: at(world.gateway.port), other: at(neighbour.port) }
}

const get = (at: Sender, path: string) => at.fetch(path, { method: 'GET', headers: {} })
const offerOf = async (at: Sender): Promise<string> =>
  String((await get(at, '/session')).headers['secure-session-registration'])

/** The nodes, in both orders. */
const directions = [
  ['there', 'here', 'other', 'ours'],
  ['here', 'there', 'ours', 'other'],
] as const

describe.each([90_000, -90_000])('two nodes whose clocks are %d ms apart', (aheadMs) => {
  beforeAll(async () => {
    const settings = { DEVICE_BINDING_LIFETIME: `${lifetimeSeconds}`, RATE_LIMIT: 'off' }
    world = await startFaultWorld({ DEVICE_BINDING: 'required', ...settings })
    neighbour = await world.startNeighbour(aheadMs)
    const address = { host: '127.0.0.1', port: neighbour.port }
    const url = new URL('/readyz', 'https://app.example.test')
    await eventually(async () => {
      expect((await exchange({ method: 'GET', url, headers: {}, address })).status).toBe(200)
    })
  })
  afterAll(async () => {
    await neighbour.stop()
    await world.stop()
  })

  it.each(directions)(
    'take each other’s challenges and proofs: made %s, shown %s',
    async (_made, _shown, first, second) => {
      const longCookie = await world.signIn()
      const browser = openBrowser(longCookie)
      const [made, shown] = [browser[first], browser[second]]
      const device = createSoftwareDevice()
      const offer = await offerOf(made)
      // Nothing is demanded of a session that was offered the binding just now.
      expect((await get(shown, '/api/x')).status).not.toBe(401)
      const registered = await device.register(shown, offer)
      expect(registered.status).toBe(200)
      const sessionId = String(registered.json().session_identifier)
      for (const at of [made, shown]) expect((await get(at, '/api/x')).status).not.toBe(401)
      const headers = { 'sec-secure-session-id': sessionId }
      const asked = await made.fetch('/device/refresh', { method: 'POST', headers })
      const challenge = challengeOf(String(asked.headers['secure-session-challenge']))
      const signed = { ...headers, 'secure-session-response': device.proof(challenge) }
      expect((await shown.fetch('/device/refresh', { method: 'POST', headers: signed })).status).toBe(200)
      for (const at of [made, shown]) expect((await get(at, '/api/x')).status).not.toBe(401)
      const thief = openBrowser(longCookie)
      for (const at of [thief.ours, thief.other])
        await eventually(async () => expectProblem(await get(at, '/api/x'), 401, 'device_proof_missing'))
    },
  )
})
