import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ScriptedAnswer, ScriptedFaults } from '../support/provider/scripted-provider.ts'
import { type ScriptedPair, type Side, startScriptedPair } from '../support/worlds/scripted-pair.ts'

type TokenFault = NonNullable<ScriptedFaults['token']>

const timeoutMs = 3_000
const pollMs = 100
/** A request may be on its way so long on a busy machine, and the time counts from its beginning. */
const slackMs = 500
/** By then the token is over, and the provider has closed the connections over which the sign-in went. */
const quietMs = 5_000

const reset: ScriptedAnswer = { send: (response) => response.destroy() }
const half: ScriptedAnswer = {
  send(response) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '2000' })
    response.write('{"access_token":"ey', () => response.destroy())
  },
}
const gatewayTimeout: ScriptedAnswer = { status: 504, body: '<html>', headers: { connection: 'close' } }
const refused: ScriptedAnswer = { status: 403, body: { error: 'invalid_grant' } }

/** On a connection that was used before, a request is sent once more at once: it may have met the end of that connection only. */
const headers = { connection: 'close' }

/** A session whose access token is over, and when its refresh token was presented. */
interface Losing {
  readonly cookie: string
  readonly presentedAtMs: readonly number[]
}

let pair: ScriptedPair
/** How the provider answers to the first refresh token of a session, and to that of the next login. */
const scripts = new Map<string, TokenFault>()
let next: TokenFault = () => undefined
let logins: Promise<unknown> = Promise.resolve()

beforeAll(async () => {
  pair = await startScriptedPair({ PROVIDER_TIMEOUT: `${timeoutMs / 1_000}` })
  pair.provider.faults.token = (answer, form) => {
    const presented = form.get('refresh_token')
    if (presented !== null) return scripts.get(presented)?.(answer, form) ?? { headers, body: answer }
    scripts.set(String(answer.refresh_token), next)
    return { headers, body: { ...answer, expires_in: 1 } }
  }
}, 60_000)
afterAll(() => pair?.stop())

/**
 * Signs in at a provider that rotates refresh tokens and loses the first answers; what it is asked with a rotated token it answers like one
 * that tolerates reuse, unless `reused` says how else.
 */
async function signInWithLosses(lost: readonly TokenFault[], reused?: ScriptedAnswer): Promise<Losing> {
  const presentedAtMs: number[] = []
  const left = [...lost]
  const script: TokenFault = (answer, form) => {
    presentedAtMs.push(performance.now())
    if (presentedAtMs.length > 1 && reused !== undefined) return reused
    return left.shift()?.(answer, form)
  }
  const cookie = await oneAtATime(async () => {
    next = script
    return pair.signIn(0)
  })
  await sleep(quietMs + pollMs)
  return { cookie, presentedAtMs }
}

function oneAtATime(login: () => Promise<string>): Promise<string> {
  const turn = logins.then(login)
  logins = turn.catch(() => undefined)
  return turn
}

async function refresh(side: Side, cookie: string): Promise<number> {
  const { status } = await pair.request(side, 'POST', '/session/refresh', { cookie, 'x-csrf': '1' })
  return status
}

/** Asks both gateways again and again, as impatient tabs do, until one answers with something else than 503. */
async function untilSettled(cookie: string): Promise<number> {
  for (let side: Side = 0; ; side = side === 0 ? 1 : 0) {
    const status = await refresh(side, cookie)
    if (status !== 503) return status
    await sleep(pollMs)
  }
}

/** Between one presentation and the next, milliseconds. */
function pausesOf({ presentedAtMs }: Losing): readonly number[] {
  return presentedAtMs.slice(1).map((atMs, before) => atMs - (presentedAtMs[before] ?? 0))
}

describe.concurrent('a refresh', () => {
  it.each([
    ['reset', reset],
    ['cut in the middle', half],
    ['given up by a server in between (504)', gatewayTimeout],
  ])(
    'whose answer is %s is asked for once more, not before its time was over, and nothing is lost where reuse is tolerated',
    async (_how, lost) => {
      const losing = await signInWithLosses([() => lost])
      const startedAtMs = performance.now()
      expect(await refresh(0, losing.cookie)).toBe(503)
      expect(performance.now() - startedAtMs).toBeLessThan(timeoutMs)
      expect(await untilSettled(losing.cookie)).toBe(200)
      expect(losing.presentedAtMs).toHaveLength(2)
      expect(pausesOf(losing)[0]).toBeGreaterThanOrEqual(timeoutMs - slackMs)
      expect(await pair.isSignedIn(1, losing.cookie)).toBe(true)
    },
    30_000,
  )

  it('whose answer is lost ends the session where reuse is not tolerated, after that one repetition', async () => {
    const { cookie, presentedAtMs } = await signInWithLosses([() => reset], refused)
    expect(await refresh(1, cookie)).toBe(503)
    expect(await untilSettled(cookie)).toBe(401)
    expect(presentedAtMs).toHaveLength(2)
    expect(await pair.isSignedIn(0, cookie)).toBe(false)
  }, 30_000)

  it('whose answer comes after its time takes it, and asks for nothing again', async () => {
    const late: TokenFault = (answer) => ({
      send(response) {
        setTimeout(() => {
          response.writeHead(200, { ...headers, 'content-type': 'application/json' })
          response.end(JSON.stringify(answer))
        }, timeoutMs + 1_000)
      },
    })
    const { cookie, presentedAtMs } = await signInWithLosses([late])
    expect(await refresh(0, cookie)).toBe(503)
    expect(await untilSettled(cookie)).toBe(200)
    expect(presentedAtMs).toHaveLength(1)
  }, 30_000)
})

it('a session whose refreshes lose their answers again and again goes on as soon as one arrives, with a pause after each', async () => {
  const losing = await signInWithLosses([() => reset, () => half, () => reset])
  expect(await untilSettled(losing.cookie)).toBe(200)
  expect(losing.presentedAtMs).toHaveLength(4)
  expect(Math.min(...pausesOf(losing))).toBeGreaterThanOrEqual(timeoutMs - slackMs)
}, 60_000)
