import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Browser } from '../../support/browser/browser-client.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { alice, apiAudience, bob, testClient } from '../../support/provider/oidc-provider.ts'
import { startWorld, type World } from '../../support/worlds/world.ts'

const cliPath = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

let world: World

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

beforeAll(async () => {
  world = await startWorld({ gateways: 2 })
})
afterAll(() => world?.stop())

/** Runs `coatcheck sessions` as an operator does, in a process of its own. */
function sessions(line: string, changes: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const env = {
    PATH: process.env.PATH,
    ISSUER_URL: world.provider.issuer,
    CLIENT_ID: testClient.id,
    CLIENT_SECRET: testClient.secret,
    API_AUDIENCE: apiAudience,
    API_URL: world.api.url,
    BASE_URL: world.baseUrl.origin,
    SESSION_SECRET: world.secrets.join(','),
    REDIS_URL: world.redis.url,
    ...changes,
  }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [cliPath, 'sessions', ...line.split(' ').filter(Boolean)],
      { env, cwd: '/', timeout: 15_000 },
      (error, out, err) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
    )
  })
}

async function revoke(line: string, changes?: Readonly<Record<string, string>>): Promise<unknown> {
  const { code, out, err } = await sessions(`revoke ${line} --json`, changes)
  if (code !== 0) throw new Error(err)
  return JSON.parse(out)
}

async function list(line: string): Promise<readonly Record<string, string>[]> {
  const { out } = await sessions(`list ${line} --json`)
  return out
    .trim()
    .split('\n')
    .filter((one) => one !== '')
    .map((one) => JSON.parse(one))
}

const call = (browser: Browser) => browser.tab().fetch('/api/orders')

/** Signs in and calls the API through both gateways, so that both have the session in their caches. */
async function signedIn(hint: string): Promise<readonly [Browser, Browser]> {
  const browser = world.browser({ via: 0 })
  await world.signIn(browser, hint)
  const elsewhere = world.sameSession(browser, { via: 1 })
  for (const one of [browser, elsewhere]) expect((await call(one)).status).toBe(200)
  return [browser, elsewhere]
}

describe('coatcheck sessions', () => {
  test('lists what is there: when and which browser, neither whose nor anything of use to a thief', async () => {
    const [browser] = await signedIn(alice.id)
    const found = await list('')
    expect(found).toHaveLength(1)
    expect(Object.keys(found[0] ?? {})).toEqual(['ref', 'browser', 'createdAt', 'lastUsedAt', 'endsAt'])
    expect(Date.parse(found[0]?.endsAt ?? '') - Date.parse(found[0]?.createdAt ?? '')).toBe(36_000_000)
    const { out } = await sessions('list')
    expect(out.split('\n')[0]).toMatch(/^SESSION +BROWSER +SIGNED IN +LAST USED +ENDS$/)
    expect(out).toContain(found[0]?.ref)
    expect(out).not.toContain('alice')
    expect(out).not.toContain(world.sessionCookie(browser))
    // The gateway's own log calls it so, too.
    const inLog = world.gateways.flatMap((gateway) => gateway.log().map(({ sessionRef }) => sessionRef))
    expect(inLog).toContain(found[0]?.ref)
    expect(await revoke('--all')).toEqual({ ended: 1, foreign: 0 })
  })

  test('ends the sessions of a user at once, on every node, streams included, and nobody else’s', async () => {
    const first = await signedIn(alice.id)
    const second = await signedIn(alice.id)
    const other = await signedIn(bob.id)
    expect(await list(`--sub ${alice.id}`)).toHaveLength(2)
    const stream = await first[1].tab().stream('/api/events')
    await once(stream, 'data')
    const closed = new Promise((resolve) => stream.once('close', resolve))
    stream.on('error', () => undefined).resume()
    const refs = (await list(`--sub ${alice.id}`)).map(({ ref }) => ref)
    const { out, err } = await sessions(`revoke --sub ${alice.id} --json`)
    expect(JSON.parse(out)).toEqual({ ended: 2, foreign: 0 })
    // The audit event of each is written once, by the command: the nodes do not know who ended it.
    const events = err
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(events).toEqual(
      refs.map(() => expect.objectContaining({ audit: 'session.ended', cause: 'operator' })),
    )
    expect(events.map(({ sessionRef }) => sessionRef).toSorted()).toEqual(refs.toSorted())
    for (const browser of [...first, ...second]) expectProblem(await call(browser), 401, 'session_expired')
    await closed
    const told = world.gateways.flatMap((gateway) => gateway.log())
    expect(
      told.filter((line) => line.audit === 'session.ended' && refs.includes(String(line.sessionRef))),
    ).toEqual([])
    for (const browser of other) expect((await call(browser)).status).toBe(200)
    expect(await revoke('--all')).toEqual({ ended: 1, foreign: 0 })
  })

  test('finds and ends the sessions of the user whom the log calls so, and nobody else’s', async () => {
    await signedIn(alice.id)
    const second = await signedIn(alice.id)
    const other = await signedIn(bob.id)
    const lines = world.gateways.flatMap((gateway) => gateway.log())
    const refs = (await list(`--sub ${alice.id}`)).map(({ ref }) => ref)
    const { userRef } = lines.find(({ sessionRef }) => sessionRef === refs[0]) ?? {}
    expect(userRef).toMatch(/^[\w-]{16}$/)
    expect((await list(`--user-ref ${userRef}`)).map(({ ref }) => ref).toSorted()).toEqual(refs.toSorted())
    expect(await list(`--user-ref ${refs[0]}`)).toEqual([])
    // While the secret is rotated, what older log lines call the user finds what was sealed then.
    const rotating = { SESSION_SECRET: `${'n'.repeat(40)},${world.secrets.join(',')}` }
    expect(await revoke(`--user-ref ${userRef}`, rotating)).toEqual({ ended: 2, foreign: 0 })
    expectProblem(await call(second[1]), 401, 'session_expired')
    expect((await call(other[0])).status).toBe(200)
    expect(await revoke(`--user-ref ${userRef}`, { CLIENT_ID: 'somebody-else' })).toEqual({
      ended: 0,
      foreign: 0,
    })
    expect(await revoke('--all')).toEqual({ ended: 1, foreign: 0 })
  })

  test('ends one session by the name that the list gives it', async () => {
    const [kept, ended] = [await signedIn(alice.id), await signedIn(alice.id)]
    const found = await list('')
    const newest = found.toSorted((a, b) => (a.createdAt ?? '').localeCompare(b.createdAt ?? ''))
    expect(newest).toHaveLength(2)
    // Both may have begun in one second: the one that is gone says which it was.
    expect(await revoke(`--ref ${newest[1]?.ref}`)).toEqual({ ended: 1, foreign: 0 })
    const statuses = await Promise.all([kept[1], ended[1]].map(async (one) => (await call(one)).status))
    expect(statuses.toSorted()).toEqual([200, 401])
    await signedIn(alice.id)
    // A node on the other side of a rotation called it so.
    const { out } = await sessions('list --json', {
      SESSION_SECRET: `${'n'.repeat(40)},${world.secrets.join(',')}`,
    })
    const refs = out
      .trim()
      .split('\n')
      .map((line) => String(JSON.parse(line).ref))
    const elsewhere = { SESSION_SECRET: [...world.secrets, 'n'.repeat(40)].join(',') }
    const outcomes = await Promise.all(refs.map((ref) => revoke(`--ref ${ref}`, elsewhere)))
    expect(outcomes).toEqual([1, 1].map((ended) => ({ ended, foreign: 0 })))
    await signedIn(alice.id)
    expect(await revoke('--ref unknown')).toEqual({ ended: 0, foreign: 0 })
    // One reference or sid in 64 begins so.
    expect(await revoke('--ref -unknown')).toEqual({ ended: 0, foreign: 0 })
    expect(await revoke('--all')).toEqual({ ended: 1, foreign: 0 })
  })

  test('ends what belongs to one session at the provider', async () => {
    const [browser] = await signedIn(alice.id)
    const { idToken } = world.provider.lastTokens()
    const { sid } = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString())
    expect(await revoke(`--sid ${sid}`)).toEqual({ ended: 1, foreign: 0 })
    expectProblem(await call(browser), 401, 'session_expired')
    // At the provider it goes on, so signing in again works, with the same sid.
    await world.signIn(browser)
    expect((await call(browser)).status).toBe(200)
    expect(await revoke('--all')).toEqual({ ended: 1, foreign: 0 })
  })

  test('finds what was sealed under an old secret, and leaves alone what is not its own', async () => {
    const [browser] = await signedIn(alice.id)
    const [secret = ''] = world.secrets
    const fresh = 'a-new-session-secret-of-the-tests-0123456789'
    const foreign = { SESSION_SECRET: fresh }
    expect(await revoke('--all', foreign)).toEqual({ ended: 0, foreign: 1 })
    expect(await revoke(`--sub ${alice.id}`, { CLIENT_ID: 'somebody-else' })).toEqual({
      ended: 0,
      foreign: 0,
    })
    expect((await call(browser)).status).toBe(200)
    const rotating = { SESSION_SECRET: `${fresh},${secret}` }
    expect(await revoke(`--sub ${alice.id}`, rotating)).toEqual({ ended: 1, foreign: 0 })
    expectProblem(await call(browser), 401, 'session_expired')
  })

  test('says in one line what it cannot do', async () => {
    const [memory, gone] = await Promise.all([
      sessions('list', { REDIS_URL: '' }),
      sessions('list', { REDIS_URL: 'redis://127.0.0.1:1' }),
    ])
    expect(memory).toMatchObject({ code: 1, out: '' })
    expect(memory.err).toMatch(/^coatcheck: there are no sessions to look at: .*set REDIS_URL.*\n$/)
    expect(gone).toMatchObject({ code: 1, out: '' })
    expect(gone.err).toMatch(/^coatcheck: Redis cannot be reached; see REDIS_URL\n$/)
  })
})
