import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ScriptedAnswer } from '../../support/provider/scripted-provider.ts'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

let world: FaultWorld

beforeAll(async () => {
  world = await startFaultWorld({ END_SESSION_URL: 'https://login.example.test/logout' })
})
afterAll(() => world.stop())
afterEach(() => world.heal())

const charset = { 'content-type': 'application/json; charset=UTF-8' }
const html = { 'content-type': 'text/html' }
const says = (status: number, body: unknown, headers = {}): ScriptedAnswer => ({ status, body, headers })

/** One refresh of a session whose access token has expired, answered in this way, and what the audit says of it. */
async function refreshAnswered(answer: ScriptedAnswer) {
  world.heal()
  const cookie = await world.signIn()
  world.advance(700_000)
  world.provider.faults.token = () => answer
  const { status, json } = await world.refresh(cookie)
  const lines = world
    .log()
    .split('\n')
    .filter((line) => line.includes('session.refresh_failed'))
  const audit = JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown>
  delete world.provider.faults.token
  // Successes between them: what is said here is about one session, never about our client.
  world.advance(120_000)
  return { status, code: json().code as unknown, audit, isKept: await world.isSignedIn(cookie) }
}

describe('a refresh token that is dead', () => {
  it.each<readonly [string, ScriptedAnswer]>([
    [
      'dex',
      says(400, {
        error: 'invalid_request',
        error_description: 'Refresh token is invalid or has already been claimed by another client.',
      }),
    ],
    ['LemonLDAP::NG', says(400, { error: 'invalid_request' })],
    ['glewlwyd', says(400, '')],
    [
      'Ory Hydra',
      says(400, {
        error: 'invalid_grant',
        error_description: 'The provided authorization grant … is invalid',
        status_code: 400,
      }),
    ],
    [
      'Entra',
      says(400, {
        error: 'invalid_grant',
        error_description: 'AADSTS700082: The refresh token has expired due to inactivity.',
        error_codes: [700082],
        error_uri: 'https://login.microsoftonline.com/error?code=700082',
      }),
    ],
    ['Entra, which wants the user', says(400, { error: 'login_required', error_description: 'AADSTS50058' })],
    [
      'Okta',
      says(400, { error: 'invalid_grant', error_description: 'The refresh token is invalid or expired.' }),
    ],
    ['Keycloak', says(400, { error: 'invalid_grant', error_description: 'Token is not active' })],
    ['Auth0', says(403, { error: 'invalid_grant', error_description: 'Unknown or invalid refresh token.' })],
    ['a bearer-minded one', says(401, { error: 'invalid_token' })],
    ['one that has a word of its own', says(400, { error: 'expired_token' })],
    ['one that says its charset', says(400, { error: 'invalid_request' }, charset)],
    [
      'one that answers nothing and names no type',
      { send: (response) => void response.writeHead(400).end() },
    ],
    [
      'one that answers nothing, in chunks',
      { send: (response) => void response.writeHead(400, { 'transfer-encoding': 'chunked' }).end() },
    ],
    ['one that says more than it has to', says(400, { error: 'invalid_grant', error_codes: [1], trace: {} })],
  ])('ends the session when %s says so', async (_provider, answer) => {
    const { status, code, isKept } = await refreshAnswered(answer)
    expect({ status, code, isKept }).toEqual({ status: 401, code: 'refresh_refused', isKept: false })
  })
})

describe('a client that is wrong', () => {
  it.each<readonly [string, ScriptedAnswer]>([
    ['RFC 6749', says(401, { error: 'invalid_client' })],
    ['Auth0', says(401, { error: 'access_denied', error_description: 'Unauthorized' })],
    [
      'Keycloak',
      says(401, {
        error: 'unauthorized_client',
        error_description: 'Invalid client or Invalid client credentials',
      }),
    ],
    [
      'Entra',
      says(401, {
        error: 'invalid_client',
        error_description: 'AADSTS7000215: Invalid client secret provided.',
      }),
    ],
    ['Okta', says(401, { errorCode: 'invalid_client', errorSummary: 'Invalid value' })],
    ['a challenge', says(401, '', { 'www-authenticate': 'Basic realm="x"' })],
    ['a page', says(400, '<html>Bad request', html)],
    ['a page of a firewall', says(403, '<html>Forbidden', html)],
    ['the wrong scope', says(400, { error: 'invalid_scope' })],
    ['the wrong audience', says(400, { error: 'invalid_target' })],
    ['the wrong grant', says(400, { error: 'unsupported_grant_type' })],
    ['an endpoint that is gone', says(404, '')],
    [
      'dex and Ory Hydra',
      says(401, { error: 'invalid_client', error_description: 'Invalid client credentials.' }),
    ],
    ['glewlwyd', says(403, '')],
    ['LemonLDAP::NG', says(401, { error: 'invalid_client' }, charset)],
    ['Keycloak, for a client that may not', says(400, { error: 'unauthorized_client' })],
    [
      'Entra, for the wrong tenant',
      says(400, { error: 'unauthorized_client', error_description: 'AADSTS700016' }),
    ],
    ['a list', says(400, '[]')],
    ['a text', says(400, '"invalid_grant"')],
    ['an error that is a list', says(400, { error: ['invalid_grant'] })],
    ['an error that is an object', says(400, { error: { code: 'invalid_grant' } })],
    ['a page that names the error', says(400, '<html>{"error":"invalid_grant"}', html)],
    ['half an answer of JSON', says(400, '{"error":"invalid_gr')],
    ['an empty 401', says(401, '')],
    ['a word that nobody knows', says(400, { error: 'no_such_word' })],
    ['a word in other letters', says(400, { error: 'INVALID_REQUEST' })],
  ])('keeps the session when it is said by %s', async (_way, answer) => {
    const { status, code, isKept } = await refreshAnswered(answer)
    expect({ status, code, isKept }).toEqual({ status: 502, code: 'provider_rejected', isKept: true })
  })
})

it("the provider's own words stand in the audit event, on one line and bounded", async () => {
  const { audit } = await refreshAnswered(
    says(400, {
      error: 'invalid_grant',
      error_description: `AADSTS700082: gone\r\n{"level":"fatal"} ${'x'.repeat(1_000)}`,
      error_uri: 'https://login.example.test/error?code=700082',
    }),
  )
  expect(audit).toMatchObject({
    outcome: 'refused',
    reason: 'invalid_grant',
    providerError: 'invalid_grant',
    providerErrorUri: 'https://login.example.test/error?code=700082',
  })
  expect(audit.providerErrorDescription).toMatch(/^AADSTS700082: gone\\u000d\\u000a\{"level":"fatal"\} x+$/)
  expect(String(audit.providerErrorDescription).length).toBeLessThanOrEqual(300)
})

it('a refreshed ID token with the nonce of another login ends the session, and one without any does not', async () => {
  const cookie = await world.signIn()
  world.advance(700_000)
  world.provider.faults.idToken = (claims) => void Reflect.deleteProperty(claims, 'nonce')
  expect((await world.refresh(cookie)).status).toBe(200)
  world.heal()
  const other = await world.signIn()
  world.advance(700_000)
  world.provider.faults.idToken = (claims) => Object.assign(claims, { nonce: 'of-another-login' })
  const refused = await world.refresh(other)
  expect({ status: refused.status, code: refused.json().code }).toEqual({
    status: 401,
    code: 'refresh_refused',
  })
  expect(world.log()).toContain('"check":"id_token.nonce"')
  expect(world.log()).not.toContain('of-another-login')
})

it('a claim that a refreshed ID token lacks is gone, but for what it says about the sign-in', async () => {
  const cookie = await world.signIn()
  world.advance(700_000)
  world.provider.faults.idToken = (claims) => void Reflect.deleteProperty(claims, 'name')
  expect((await world.refresh(cookie)).json().user).toEqual({ sub: 'alice' })
})

it('a refreshed ID token without sid does not take the place of the hint for a logout', async () => {
  const cookie = await world.signIn()
  const loginToken = world.provider.issued.at(-2)
  world.advance(700_000)
  world.provider.faults.idToken = (claims) => void Reflect.deleteProperty(claims, 'sid')
  expect((await world.refresh(cookie)).status).toBe(200)
  const headers = { cookie, 'x-csrf': '1', accept: 'application/json' }
  const { redirectTo } = (await world.request('POST', '/logout', headers)).json() as { redirectTo: string }
  expect(new URL(redirectTo).searchParams.get('id_token_hint')).toBe(loginToken)
})
