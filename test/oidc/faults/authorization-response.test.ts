import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import {
  expectFailedLogin,
  expectRefusedLogin,
  type FaultWorld,
  type LoginFailure,
  sessionCookieOf,
  startFaultWorld,
} from '../../support/worlds/fault-world.ts'

let world: FaultWorld

beforeAll(async () => {
  world = await startFaultWorld()
})
afterAll(() => world.stop())
afterEach(() => world.heal())

/** `undefined` takes a parameter out; a list repeats it. */
type Changes = Readonly<Record<string, string | readonly string[] | undefined>>

function apply(query: URLSearchParams, changes: Changes): void {
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name)
    for (const each of [value ?? []].flat()) query.append(name, each)
  }
}

const refused: readonly (readonly [string, (issuer: string) => Changes])[] = [
  ['without a code', () => ({ code: undefined })],
  ['with an empty code', () => ({ code: '' })],
  ['with two codes', () => ({ code: ['a', 'b'] })],
  ['with a code as an array', () => ({ code: undefined, 'code[]': 'a' })],
  ['with a control character in the code', () => ({ code: 'a\u0000b' })],
  ['with a code beyond ASCII', () => ({ code: 'ä' })],
  ['of another issuer', (issuer) => ({ iss: `${issuer}1` })],
  ['of the issuer with a slash', (issuer) => ({ iss: `${issuer}/` })],
  ['of the issuer in capitals', (issuer) => ({ iss: issuer.toUpperCase() })],
  ['with an empty issuer', () => ({ iss: '' })],
  ['with the issuer twice', (issuer) => ({ iss: [issuer, issuer] })],
  ['with code and error', () => ({ error: 'access_denied' })],
  ['with two errors', () => ({ code: undefined, error: ['a', 'b'] })],
  ['with an error of another issuer', () => ({ code: undefined, error: 'a', iss: 'https://b.example' })],
  ['in a JWT', () => ({ response: 'a.b.c' })],
]
const denied: readonly (readonly [string, (issuer: string) => Changes])[] = [
  ['with an error', () => ({ code: undefined, error: 'access_denied' })],
  ['with an error of the issuer', (issuer) => ({ code: undefined, error: 'a', iss: issuer })],
  [
    'with markup for an error',
    () => ({ code: undefined, error: '<b>', error_description: '\r\nx: y<script>' }),
  ],
  ['with an endless error', () => ({ code: undefined, error: 'e'.repeat(3_000) })],
]
const rows = [
  ...refused.map((row) => [...row, 'login_refused'] as const),
  ...denied.map((row) => [...row, 'login_denied'] as const),
] satisfies readonly (readonly [string, (issuer: string) => Changes, LoginFailure])[]

it.each(rows)(
  'an authorization response %s fails, and its code is not redeemed',
  async (_name, changes, code) => {
    const before = world.provider.count('/token')
    await expectFailedLogin(world, code, (query) => apply(query, changes(world.provider.issuer)))
    // That of the login that worked afterwards.
    expect(world.provider.count('/token')).toBe(before + 1)
  },
)

it.each<readonly [string, string, Changes]>([
  ['another state', 'login_state_invalid', { state: 'other-state' }],
  ['no state', 'login_state_invalid', { state: undefined }],
  ['an empty state', 'login_state_invalid', { state: '' }],
  ['an error without a state', 'login_state_invalid', { code: undefined, state: undefined, error: 'x' }],
  ['two states', 'request_invalid', { state: ['a', 'b'] }],
  ['a state as an array', 'request_invalid', { 'state[0]': 'a' }],
  ['an endless code', 'request_invalid', { code: 'c'.repeat(9_000) }],
])(
  'an authorization response with %s belongs to no login, and changes no cookie',
  async (_name, code, changes) => {
    const before = world.provider.count('/token')
    const answer = await world.logIn((query) => apply(query, changes))
    expect({ status: answer.status, code: answer.json().code }).toEqual({ status: 400, code })
    expect(answer.setCookies).toEqual([])
    expect(world.provider.count('/token')).toBe(before)
    expect(world.leaks()).toEqual([])
  },
)

it('an authorization response by POST is answered 405', async () => {
  expect((await world.request('POST', '/callback?code=a&state=b')).status).toBe(405)
})

it('an authorization response without iss is refused where the provider announces it (RFC 9207)', async () => {
  const strict = await startFaultWorld({}, (provider) => {
    provider.faults.discovery = (metadata) => ({
      ...metadata,
      authorization_response_iss_parameter_supported: true,
    })
  })
  try {
    expectRefusedLogin(await strict.logIn(), 'login_refused')
    const answer = await strict.logIn((query) => query.set('iss', strict.provider.issuer))
    expect(sessionCookieOf(answer)).toBeDefined()
  } finally {
    await strict.stop()
  }
})
