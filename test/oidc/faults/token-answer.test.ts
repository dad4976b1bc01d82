import type { ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import type { ScriptedAnswer } from '../../support/provider/scripted-provider.ts'
import {
  expectFailedLogin,
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

type Members = Readonly<Record<string, unknown>>
type Fault = (answer: Members) => ScriptedAnswer

const html = { 'content-type': 'text/html' }
const answered =
  (status: number, body: unknown = '', headers = {}): Fault =>
  () => ({ status, body, headers })
const failed = (status: number, error: unknown, headers = {}) => answered(status, { error }, headers)
const sent =
  (send: (response: ServerResponse) => unknown): Fault =>
  () => ({ send })
const changed =
  (changes: Members): Fault =>
  (answer) => ({ body: { ...answer, ...changes } })
const rewritten =
  (change: (json: string) => string): Fault =>
  (answer) => ({ body: change(JSON.stringify(answer)) })
const basic = { 'www-authenticate': 'Basic realm="x"' }
const deep = `${'['.repeat(9_000)}${']'.repeat(9_000)}`

/** A byte now and then, for ever. */
function drip(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const timer = setInterval(() => response.write(' '), 50).unref()
  response.once('close', () => clearInterval(timer))
}

function breakOff(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': 999 })
  response.write('{"access_token":"a', () => response.destroy())
}

const faults: Readonly<Record<LoginFailure, readonly (readonly [string, Fault])[]>> = {
  login_denied: [],
  login_refused: [
    ['invalid_grant', failed(400, 'invalid_grant')],
    ['invalid_grant with 403, as at Auth0', failed(403, 'invalid_grant')],
    ['invalid_grant with 200', failed(200, 'invalid_grant')],
    ['invalid_grant that is called a page', failed(400, 'invalid_grant', html)],
    ['mfa_required', failed(403, 'mfa_required')],
    ['an empty object', answered(200, {})],
    ['no access token', changed({ access_token: undefined })],
    ['null for an access token', changed({ access_token: null })],
    ['an empty access token', changed({ access_token: '' })],
    ['an access token that is a number', changed({ access_token: 7 })],
    ['an access token that is an array', changed({ access_token: ['a.b.c'] })],
    ['an access token with a space', changed({ access_token: 'aaaaaa bbbbbb' })],
    ['an access token with a line break', changed({ access_token: 'aaaaaa\r\nx-user: root' })],
    ['an access token beyond ASCII', changed({ access_token: 'tökén-tökén' })],
    ['an endless access token', changed({ access_token: 'a'.repeat(17_000) })],
    ['no token type', changed({ token_type: undefined })],
    ['token type DPoP', changed({ token_type: 'DPoP' })],
    ['token type mac', changed({ token_type: 'mac' })],
    ['token type N_A', changed({ token_type: 'N_A' })],
    ['a token type that is an array', changed({ token_type: ['Bearer'] })],
    ['a refresh token that is a number', changed({ refresh_token: 7 })],
    ['a refresh token that is an array', changed({ refresh_token: ['a'] })],
    ['an endless refresh token', changed({ refresh_token: 'r'.repeat(17_000) })],
    ['no ID token', changed({ id_token: undefined })],
    ['an empty ID token', changed({ id_token: '' })],
    ['an ID token that is an object', changed({ id_token: { sub: 'alice' } })],
    ['an ID token of two parts', changed({ id_token: 'a.b' })],
    ['an ID token of junk', changed({ id_token: '!.?.*' })],
    ['an encrypted ID token', changed({ id_token: 'eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d' })],
  ],
  access_token_unusable: [
    ['an opaque access token', changed({ access_token: 'opaque-1234567' })],
    ['an encrypted access token', changed({ access_token: 'eyJhbGciOiJkaXIifQ..aaaa.bbbb.cccc' })],
    ['an access token of three strange parts', changed({ access_token: 'aaa.bbb.ccc' })],
  ],
  provider_rejected: [
    ['invalid_client', failed(401, 'invalid_client')],
    ['invalid_client with a challenge', failed(401, 'invalid_client', basic)],
    ['a challenge alone', answered(401, '', basic)],
    ['access_denied with 401, as at Auth0', failed(401, 'access_denied')],
    ['unauthorized_client', failed(400, 'unauthorized_client')],
    ['invalid_request', failed(400, 'invalid_request')],
    ['invalid_scope', failed(400, 'invalid_scope')],
    ['invalid_target', failed(400, 'invalid_target')],
    ['an error that is no name', failed(400, 'x\r\ny'.repeat(99))],
    ['an error that is no text', failed(400, { deep: 1 })],
    ['404', answered(404, 'not here', html)],
    ['405', answered(405)],
    ['418 as a page', answered(418, '<html>', html)],
  ],
  provider_unavailable: [
    ['408', answered(408)],
    ['425', failed(425, 'too_early')],
    ['429', failed(429, 'too_many_requests')],
    ['429 as a page', answered(429, '<html>', html)],
    ['500', failed(500, 'invalid_grant')],
    ['502 as a page', answered(502, '<html>', html)],
    ['503', answered(503)],
    ['599', answered(599)],
    ['temporarily_unavailable with 400', failed(400, 'temporarily_unavailable')],
    ['server_error with 400', failed(400, 'server_error')],
    ['a redirect', answered(307, '', { location: 'http://127.0.0.1:9/' })],
    ['a redirect to itself', answered(302, '', { location: '/token' })],
    ['204', sent((response) => response.writeHead(204).end())],
    ['304', sent((response) => response.writeHead(304).end())],
    ['a status that HTTP does not know', sent((response) => response.writeHead(799).end('{}'))],
    ['a page with 200', answered(200, '<html>', html)],
    ['nothing', answered(200)],
    ['half an answer', answered(200, '{"access_token":"a')],
    ['a broken connection', sent((response) => response.destroy())],
    ['a body that breaks off', sent(breakOff)],
    ['no HTTP', sent(({ socket }) => socket?.end('220 mail.example.com ESMTP\r\n'))],
    ['silence', sent(() => undefined)],
    ['a body that never ends', sent(drip)],
    ['an array', answered(200, '[]')],
    ['null', answered(200, 'null')],
    ['a text', answered(200, '"ok"')],
    ['two megabytes', answered(200, { pad: 'x'.repeat(2 ** 21) })],
    ['gzip that is none', answered(200, '{}', { 'content-encoding': 'gzip' })],
  ],
}
const rows = Object.entries(faults).flatMap(([code, list]) =>
  list.map(([name, fault]) => ({ name, fault, code: code as LoginFailure })),
)

it.each(rows)('a token answer with $name is $code', async ({ fault, code }) => {
  world.provider.faults.token = fault
  await expectFailedLogin(world, code)
})

it('a token answer that fails a check has its refresh token revoked', async () => {
  world.provider.faults.token = changed({ token_type: 'mac' })
  await world.logIn()
  await eventually(() => expect(world.revoked().at(-1)).toMatch(/^rt-/))
})

describe('a token answer is accepted', () => {
  const lives = [undefined, null, '', 0, -1, 0.5, 1e300, '3600', 'soon', [], {}]
  const harmless: readonly (readonly [string, Fault])[] = [
    ['token type in capitals', changed({ token_type: 'BEARER' })],
    [
      'another content type',
      (body) => ({ body: JSON.stringify(body), headers: { 'content-type': 'text/plain' } }),
    ],
    ['status 201', (body) => ({ status: 201, body })],
    ['an error beside the tokens', changed({ error: 'none' })],
    ['members that nobody knows', changed({ 'not-before-policy': { a: [1] } })],
    ['members that nest without end', rewritten((json) => json.replace('{', `{"deep":${deep},`))],
    [
      'members of the prototype',
      rewritten((json) => json.replace('{', '{"__proto__":{"token_type":"mac"},')),
    ],
    [
      'a repeated member, of which the last counts',
      rewritten((json) => json.replace('{', '{"token_type":"mac",')),
    ],
    ['null for a scope', changed({ scope: null })],
    ['null for a refresh token', changed({ refresh_token: null })],
    ['an empty refresh token', changed({ refresh_token: '' })],
    ...lives.map((life) => [`expires_in ${JSON.stringify(life)}`, changed({ expires_in: life })] as const),
  ]

  it.each(harmless)('with %s', async (_name, fault) => {
    world.provider.faults.token = fault
    const cookie = sessionCookieOf(await world.logIn()) ?? ''
    const answer = await world.request('GET', '/session', { cookie, 'x-csrf': '1' })
    expect(answer.json()).toMatchObject({ authenticated: true })
    expect(Number(answer.json().expiresIn)).toBeLessThanOrEqual(36_000)
    expect(world.leaks()).toEqual([])
  })
})
