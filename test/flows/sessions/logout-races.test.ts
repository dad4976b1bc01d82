import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import type { Answer } from '../../support/exchange.ts'
import type { StopSide } from '../../support/redis/redis-gate.ts'
import { type ScriptedPair, sessionCookieOf, startScriptedPair } from '../../support/worlds/scripted-pair.ts'

let pair: ScriptedPair

beforeAll(async () => {
  pair = await startScriptedPair()
})
afterAll(() => pair.stop())

type User = {
  readonly sub: string
  readonly sid: string
}

/** Every login from now on is one of this user in this session of the provider. */
function signInAs(user: User): void {
  pair.provider.faults.idToken = (claims) => void Object.assign(claims, user)
}

/** Somebody whom no other test is about. */
function newUser(): User {
  const user = { sub: `user-${randomUUID()}`, sid: `sid-${randomUUID()}` }
  signInAs(user)
  return user
}

const secondsFromNow = (seconds: number): number => Math.floor(Date.now() / 1_000) + seconds

/** A logout token of the provider, not older than any login up to now. */
function tokenFor(claims: Readonly<Record<string, unknown>>): Promise<string> {
  return pair.provider.logoutToken({ sub: undefined, sid: undefined, iat: secondsFromNow(1), ...claims })
}

async function logOut(side: 0 | 1, claims: Readonly<Record<string, unknown>>): Promise<Answer> {
  return pair.logOut(side, await tokenFor(claims))
}

const sides = ['command', 'answer'] as const
const stopsAt = (steps: readonly string[]): readonly (readonly [string, StopSide])[] =>
  steps.flatMap((step) => sides.map((side) => [step, side] as const))

/** Commands of a callback after the authorization response was checked, in their order. */
const callbackStops = stopsAt([
  'coatcheck:used-state:',
  'coatcheck:by-sub:',
  'coatcheck:by-sid:',
  'coatcheck:session:',
  'coatcheck:ended:',
])
/** Commands of a logout by sid, in their order. */
const logoutStops = stopsAt([
  'coatcheck:used-jti:',
  'coatcheck:ended:',
  'coatcheck:by-sid:',
  'coatcheck:session:',
])

/** Whatever a callback said, nobody is signed in by it, and nothing of it is left in Redis. */
async function expectNoSession(answer: Answer, keysBefore: readonly string[]): Promise<void> {
  const cookie = sessionCookieOf(answer)
  // 503 where a busy machine held the command longer than the gateway waits for one.
  expect(cookie === undefined ? [401, 503] : [303]).toContain(answer.status)
  if (cookie !== undefined) expect(await pair.isSignedIn(0, cookie)).toBe(false)
  // A write that was given up may still happen; the delete that follows it does, too.
  await eventually(async () => expect(await pair.sessionKeys()).toEqual(keysBefore))
}

describe('a logout at the provider, heard at one gateway while the other completes the login', () => {
  async function race(step: string, side: StopSide, claims: (user: User) => Partial<User>): Promise<Answer> {
    const user = newUser()
    const login = await pair.beginLogin(0)
    const stop = pair.gates[0].stop(step, side)
    const callback = pair.completeLogin(0, login)
    await stop.arrived
    const logout = await logOut(1, claims(user)).finally(stop.release)
    expect(logout.status).toBe(200)
    return callback
  }

  test.each(callbackStops)('by sid, at %s (%s), leaves no session', async (step, side) => {
    const before = await pair.sessionKeys()
    await expectNoSession(await race(step, side, ({ sid }) => ({ sid })), before)
  })

  test.each(callbackStops.slice(1))('by sub, at %s (%s), leaves no session', async (step, side) => {
    const before = await pair.sessionKeys()
    await expectNoSession(await race(step, side, ({ sub }) => ({ sub })), before)
  })

  test('by sub, before the login was redeemed, does not stop that later login', async () => {
    const answer = await race('coatcheck:used-state:', 'command', ({ sub }) => ({ sub }))
    expect(await pair.isSignedIn(1, sessionCookieOf(answer) ?? '')).toBe(true)
  })
})

describe('a login that is completed while a logout at the provider is under way', () => {
  test.each(logoutStops)('by sid, at %s (%s), leaves no session', async (step, side) => {
    const { sid } = newUser()
    // One session to be found, so that every step is taken.
    const first = await pair.signIn(0)
    const before = (await pair.sessionKeys()).length - 1
    const login = await pair.beginLogin(0)
    const stop = pair.gates[1].stop(step, side)
    const token = await tokenFor({ sid })
    const logout = pair.logOut(1, token)
    await stop.arrived
    const answer = await pair.completeLogin(0, login).finally(stop.release)
    const { status } = await logout
    // Too slow for the deadline means "send it again"; then it must work.
    expect([200, 503]).toContain(status)
    if (status === 503) await eventually(async () => expect((await pair.logOut(1, token)).status).toBe(200))
    const cookie = sessionCookieOf(answer)
    if (cookie !== undefined) expect(await pair.isSignedIn(0, cookie)).toBe(false)
    expect(await pair.isSignedIn(0, first)).toBe(false)
    await eventually(async () => expect(await pair.sessionKeys()).toHaveLength(before))
  })
})

describe('a logout whose store fails in the middle', () => {
  test.each(logoutStops)('at %s (%s) asks for a repetition, which works', async (step, side) => {
    const { sub, sid } = newUser()
    const cookie = await pair.signIn(0)
    const token = await tokenFor({ sub, sid })
    const stop = pair.gates[1].stop(step, side)
    const logout = pair.logOut(1, token)
    await stop.arrived
    pair.gates[1].cut()
    const answer = await logout
    stop.release()
    expect(answer.status).toBe(503)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.json()).toMatchObject({ error: 'temporarily_unavailable' })
    await eventually(async () => expect((await pair.logOut(1, token)).status).toBe(200))
    expect(await pair.isSignedIn(0, cookie)).toBe(false)
    expect(await pair.isSignedIn(1, cookie)).toBe(false)
  })
})

describe('a logout token', () => {
  test('with sub and sid ends the sessions of the sid, the user’s others go on', async () => {
    const user = newUser()
    const inThisSession = [await pair.signIn(0), await pair.signIn(1)]
    signInAs({ ...user, sid: 'another' })
    const elsewhere = await pair.signIn(0)
    expect((await logOut(1, user)).status).toBe(200)
    for (const cookie of inThisSession) expect(await pair.isSignedIn(0, cookie)).toBe(false)
    expect(await pair.isSignedIn(0, elsewhere)).toBe(true)
    expect(await pair.isSignedIn(1, elsewhere)).toBe(true)
  })

  test('with sub alone ends all sessions of that user, on both gateways, and nobody else’s', async () => {
    newUser()
    const stranger = await pair.signIn(1)
    const { sub } = newUser()
    const cookies = [await pair.signIn(0), await pair.signIn(1)]
    signInAs({ sub, sid: 'another' })
    cookies.push(await pair.signIn(1))
    expect((await logOut(0, { sub })).status).toBe(200)
    for (const cookie of cookies) {
      expect([await pair.isSignedIn(0, cookie), await pair.isSignedIn(1, cookie)]).toEqual([false, false])
    }
    expect(await pair.isSignedIn(0, stranger)).toBe(true)
  })

  test('that is older than a session never ends it, whichever way it names it', async () => {
    const { sub, sid } = newUser()
    const iat = secondsFromNow(-30)
    const older = [
      await tokenFor({ sub, iat }),
      await tokenFor({ sid, iat }),
      await tokenFor({ sub, sid, iat }),
    ]
    const cookie = await pair.signIn(0)
    for (const token of older) expect((await pair.logOut(1, token)).status).toBe(200)
    expect(await pair.isSignedIn(0, cookie)).toBe(true)
    expect(await pair.isSignedIn(1, cookie)).toBe(true)
  })

  test('that is sent again is answered 200 at either gateway, and does nothing', async () => {
    const { sub } = newUser()
    const first = await pair.signIn(0)
    // Ahead of the clock, so that only its use keeps it from ending the next login.
    const token = await tokenFor({ sub, iat: secondsFromNow(50) })
    expect((await pair.logOut(0, token)).status).toBe(200)
    expect(await pair.isSignedIn(0, first)).toBe(false)
    const next = await pair.signIn(0)
    for (const side of [0, 1] as const) expect((await pair.logOut(side, token)).status).toBe(200)
    expect(await pair.isSignedIn(1, next)).toBe(true)
  })

  test('for nobody known here is answered 200', async () => {
    const answer = await logOut(0, { sub: 'nobody', sid: 'none' })
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store'])
  })
})
