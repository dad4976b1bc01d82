import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startProvingApi } from '../support/api/proving-api.ts'
import { newSigningKey, signWith } from '../support/provider/scripted-provider.ts'
import { findingOf, troubles } from './clinic/clinic.ts'
import { isIssued, openScriptedClinic, type ScriptedClinic, soundToken } from './clinic/scripted-clinic.ts'

let clinic: ScriptedClinic
/** Sessions in memory, which is no matter here. */
const usual = 'warn session-store'

beforeAll(async () => {
  clinic = await openScriptedClinic()
})
beforeEach(() => clinic.heal())
afterAll(() => clinic.stop())

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-'))
afterAll(() => rmSync(folder, { recursive: true }))
function routesFile(routes: readonly object[]): string {
  const file = join(folder, 'routes.json')
  writeFileSync(file, JSON.stringify({ routes }))
  return file
}

const without = (report: Parameters<typeof troubles>[0]) => troubles(report).filter((one) => one !== usual)

describe('a sound provider', () => {
  it('has nothing wrong with it, with a login either', async () => {
    const report = await clinic.examine({}, true)
    expect(without(report)).toEqual([])
    expect(findingOf(report, 'access-token.signature').status).toBe('pass')
    expect(findingOf(report, 'access-token.subject').status).toBe('pass')
    expect(findingOf(report, 'id-token.claims').status).toBe('pass')
    expect(findingOf(report, 'clock.token').status).toBe('pass')
    expect(findingOf(report, 'upstream.token')).toMatchObject({ status: 'pass', subject: '/api' })
    expect(findingOf(report, 'client-secret').status).toBe('pass')
    expect(report.checks.map(({ check }) => check)).not.toContain('client-authentication')
    // Once by the check of the API, once to compare, and once with the token.
    expect(clinic.tokens.map((token) => token !== undefined)).toEqual([false, false, true])
    expect(JSON.stringify(report)).not.toContain(clinic.tokens[2])
  })
})

describe('doctor does not pass', () => {
  it.each(['userinfo', 'issuer'])('an audience that is the provider itself: its %s', async (which) => {
    const { issuer } = clinic.provider
    const value = which === 'userinfo' ? `${issuer}/userinfo` : issuer
    const report = await clinic.examine({ API_AUDIENCE: value })
    expect(without(report)).toEqual(['fail audience'])
    expect(findingOf(report, 'audience')).toMatchObject({
      summary: expect.stringContaining('an address of the provider itself'),
      fix: expect.stringContaining('API_AUDIENCE'),
    })
  })

  it('an API that answers 401 to every token', async () => {
    const challenge = 'Bearer error="invalid_token", error_description="unexpected \\"aud\\""'
    clinic.answer((_request, response) => response.writeHead(401, { 'www-authenticate': challenge }).end())
    const report = await clinic.examine({}, true)
    expect(without(report)).toEqual(['fail upstream.token'])
    expect(findingOf(report, 'upstream.token')).toMatchObject({
      subject: '/api',
      summary: expect.stringContaining('"invalid_token", "unexpected "aud""'),
      fix: expect.stringContaining(clinic.provider.audience),
    })
  })

  it('an API that wants tokens with a proof of possession, and says which setting that is', async () => {
    clinic.answer((_request, response) =>
      response.writeHead(401, { 'www-authenticate': 'DPoP error="invalid_token", algs="ES256"' }).end(),
    )
    const report = await clinic.examine({}, true)
    expect(findingOf(report, 'upstream.token')).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('TOKEN_BINDING=dpop'),
    })
  })

  it('a sound set-up whose tokens are bound to a key, with a nonce and without, and one whose API wants bearer tokens', async () => {
    const { provider } = clinic
    provider.faults.dpop = {}
    const api = await startProvingApi(() => provider.publicKeys as JsonWebKey[])
    const env = { TOKEN_BINDING: 'dpop', API_URL: api.url }
    const sound = await clinic.examine(env, true)
    api.behaviour.nonces = () => ['of-the-api']
    const withNonce = await clinic.examine(env, true)
    await api.stop()
    for (const report of [sound, withNonce]) {
      expect(without(report)).toEqual([])
      expect(findingOf(report, 'upstream.token').status).toBe('pass')
    }
    clinic.answer((request, response) =>
      response.writeHead(request.headers.authorization?.startsWith('Bearer ') ? 200 : 401).end(),
    )
    const refused = await clinic.examine({ TOKEN_BINDING: 'dpop' }, true)
    expect(without(refused)).toEqual(['fail upstream.token'])
    expect(findingOf(refused, 'upstream.token').fix).toContain('TOKEN_BINDING=none')
    clinic.answer((_request, response) =>
      response.writeHead(401, { 'www-authenticate': 'DPoP error="invalid_dpop_proof"' }).end(),
    )
    const unproved = await clinic.examine({ TOKEN_BINDING: 'dpop' }, true)
    expect(findingOf(unproved, 'upstream.token').fix).toMatch(/http:\/\/127\.0\.0\.1:\d+\/.*proofUrl.*clock/)
    const { discovery = (metadata) => metadata } = provider.faults
    provider.faults.discovery = (metadata) => ({
      ...(discovery(metadata) as object),
      dpop_signing_alg_values_supported: ['RS256'],
    })
    const unsigned = await clinic.examine({ TOKEN_BINDING: 'dpop' })
    expect(without(unsigned)).toEqual(['fail discovery.client'])
    expect(findingOf(unsigned, 'discovery.client').summary).toContain('RS256, not ES256')
  })

  it('an API of which nothing can be told, and calls no step-up a refusal', async () => {
    clinic.answer((_request, response) => response.writeHead(404).end())
    expect(findingOf(await clinic.examine({}, true), 'upstream.token')).toMatchObject({ status: 'skip' })
    const stepUp = 'Bearer error="insufficient_user_authentication", acr_values="urn:mfa"'
    clinic.answer((_request, response) => response.writeHead(401, { 'www-authenticate': stepUp }).end())
    expect(findingOf(await clinic.examine({}, true), 'upstream.token')).toMatchObject({ status: 'pass' })
  })

  it('an access token that is signed with a key nobody publishes, or with a false one', async () => {
    const stranger = await newSigningKey('stranger')
    const signed = async (kid: string | undefined): Promise<string> => {
      const nowSeconds = Math.floor(Date.now() / 1_000)
      const claims = { iss: clinic.provider.issuer, sub: 'alice', aud: [clinic.provider.audience] }
      return signWith(
        stranger,
        { ...claims, iat: nowSeconds, exp: nowSeconds + 600 },
        kid === undefined ? {} : { kid },
      )
    }
    const unpublished = await signed(undefined)
    clinic.provider.faults.accessToken = () => unpublished
    const report = await clinic.examine({}, true)
    expect(without(report)).toEqual(['fail access-token.signature'])
    expect(findingOf(report, 'access-token.signature').fix).toContain('jwks_uri')
    const forged = await signed(clinic.provider.publicKeys[0]?.kid)
    clinic.provider.faults.accessToken = () => forged
    expect(findingOf(await clinic.examine({}, true), 'access-token.signature')).toMatchObject({
      status: 'fail',
      summary: expect.stringContaining('does not fit'),
    })
  })

  it("an access token of another user's", async () => {
    clinic.provider.faults.accessToken = (claims) => {
      claims.sub = 'mallory'
      return undefined
    }
    const report = await clinic.examine({}, true)
    expect(without(report)).toEqual(['fail access-token.subject'])
    expect(JSON.stringify(report)).not.toContain('mallory')
  })

  it('an access token that names no user', async () => {
    clinic.provider.faults.accessToken = (claims) => {
      delete claims.sub
      return undefined
    }
    const report = await clinic.examine({}, true)
    expect(without(report)).toEqual(['warn access-token.subject'])
    expect(findingOf(report, 'access-token.subject').fix).toContain('sub')
  })

  it.each([
    ['response types without code', { response_types_supported: ['id_token', 'token'] }, 'id_token, token'],
    ['grants without the code', { grant_types_supported: ['implicit'] }, 'implicit'],
  ])('a provider that announces %s', async (_what, members, words) => {
    const { discovery = (metadata) => metadata } = clinic.provider.faults
    clinic.provider.faults.discovery = (metadata) => ({ ...(discovery(metadata) as object), ...members })
    const report = await clinic.examine()
    expect(without(report)).toEqual(['warn discovery.client'])
    expect(findingOf(report, 'discovery.client').summary).toContain(words)
  })

  it('claims of USER_CLAIMS that are not there, unless nobody has written them', async () => {
    const env = { USER_CLAIMS: 'sub,name,department,/realm_access/roles' }
    const report = await clinic.examine(env, true)
    expect(without(report)).toEqual(['fail id-token.claims'])
    expect(findingOf(report, 'id-token.claims')).toMatchObject({
      summary: 'The ID token has no department, /realm_access/roles, so /session does not show them.',
      fix: expect.stringContaining('USERINFO=on'),
    })
    clinic.provider.faults.idToken = (claims) => {
      claims.department = 'sales'
      claims.realm_access = { roles: ['clerk'] }
    }
    expect(without(await clinic.examine(env, true))).toEqual([])
  })

  describe('claims that a route reads and the user does not have', () => {
    const route = (rules: object) => ({
      API_URL: undefined,
      ROUTES_FILE: routesFile([{ prefix: '/api', upstream: clinic.env.API_URL, ...rules }]),
    })

    it('in the ID token, and in the access token', async () => {
      const env = route({
        require: { roles: ['clerk'], any: [{ 'access_token.plan': ['gold'] }, { sub: ['alice'] }] },
        identityHeaders: { 'X-User': 'sub', 'X-Department': '/org/department' },
      })
      const report = await clinic.examine(env, true)
      expect(without(report)).toEqual(['warn route.claims'])
      expect(findingOf(report, 'route.claims')).toMatchObject({
        subject: '/api',
        summary: expect.stringMatching(
          /^Of the user who signed in, the ID token has no roles, \/org\/department; the access token has no plan:/,
        ),
        fix: expect.stringContaining('USERINFO=on'),
      })
      clinic.provider.faults.idToken = (claims) => {
        Object.assign(claims, { roles: [], org: { department: 'sales' } })
      }
      clinic.provider.faults.accessToken = (claims) => {
        claims.plan = 'silver'
        return undefined
      }
      const other = await clinic.examine(env, true)
      expect(without(other)).toEqual([])
      expect(findingOf(other, 'route.claims').status).toBe('pass')
    })

    it('unless nobody comes there with a session, or the access token cannot be verified', async () => {
      const require = { 'access_token.plan': ['gold'] }
      const bearer = await clinic.examine(route({ callers: ['bearer'], require }), true)
      expect(bearer.checks.map(({ check }) => check)).not.toContain('route.claims')
      clinic.provider.faults.accessToken = () => 'opaque'
      const opaque = await clinic.examine(route({ require }), true)
      expect(findingOf(opaque, 'route.claims').status).toBe('skip')
    })
  })

  it('under a security profile what breaks its rules', async () => {
    const { issuer } = clinic.provider
    clinic.provider.faults.discovery = (metadata) => ({
      ...metadata,
      pushed_authorization_request_endpoint: `${issuer}/par`,
      token_endpoint_auth_signing_alg_values_supported: ['RS256'],
    })
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
    const CLIENT_KEY = `${privateKey.export({ format: 'pem', type: 'pkcs8' })}`
    const report = await clinic.examine({ SECURITY_PROFILE: 'fapi2', CLIENT_KEY, CLIENT_SECRET: undefined })
    expect(findingOf(report, 'discovery.response-issuer').status).toBe('fail')
    expect(findingOf(report, 'discovery.keys')).toMatchObject({
      status: 'fail',
      summary: expect.stringContaining('PS256'),
    })
    expect(findingOf(report, 'discovery.client')).toMatchObject({
      status: 'fail',
      summary: expect.stringContaining('signed with RS256'),
    })
  })

  const encryption = { use: 'enc' }
  const elliptic = {
    ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
    n: undefined,
    e: undefined,
  }
  const short = {
    ...generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' }),
  }
  const secp = {
    ...generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' }),
  }
  it.each([
    ['for encryption', encryption, 'use=enc'],
    ['of 1,024 bits', { ...short, use: 'sig' }, 'RSA of 1024 bits'],
    ['of another curve', { ...secp, n: undefined, e: undefined, alg: undefined }, 'of a kind'],
    ['that is a secret', { kty: 'oct', k: 'c2VjcmV0' }, 'a secret'],
    ['for other operations', { key_ops: ['encrypt'] }, 'key_ops without verify'],
    ['for another algorithm than ID tokens have', { alg: 'PS256' }, 'for an algorithm that is not taken'],
    ['of a kind that their algorithm does not take', elliptic, 'of a kind that is not taken'],
  ])('a key set of one key %s', async (_what, change, words) => {
    clinic.provider.faults.keys = ([key]) => ({ body: { keys: [{ ...key, alg: undefined, ...change }] } })
    const report = await clinic.examine()
    expect(without(report)).toEqual(['fail discovery.keys'])
    expect(findingOf(report, 'discovery.keys').summary).toContain(words)
    clinic.provider.faults.keys = ([key]) => ({
      body: { keys: [key, { ...key, alg: undefined, ...change }] },
    })
    expect(findingOf(await clinic.examine(), 'discovery.keys')).toMatchObject({
      status: 'pass',
      summary: expect.stringContaining(`of no use are 1 (${words}`),
    })
  })

  it('an ID token that is signed with the client secret, and does not speak of clocks', async () => {
    clinic.provider.faults.signIdToken = (claims) => clinic.provider.signWithPublicKey(claims)
    const report = await clinic.examine({}, true)
    expect(without(report)).toEqual(['fail login'])
    expect(findingOf(report, 'login')).toMatchObject({
      summary: expect.stringMatching(/id_token\.alg.*HS256/),
      fix: expect.not.stringMatching(/clock/i),
    })
  })
})

describe('a client secret', () => {
  it('that nobody checks is found by a wrong one', async () => {
    clinic.provider.faults.token = (answer, form) => {
      if (form.get('client_id') !== clinic.provider.clientId)
        return { status: 401, body: { error: 'invalid_client' } }
      return isIssued(answer, form) ? undefined : { status: 400, body: { error: 'invalid_grant' } }
    }
    const report = await clinic.examine()
    expect(without(report)).toEqual(['fail client-secret'])
    expect(findingOf(report, 'client-secret')).toMatchObject({
      summary: expect.stringContaining('does not check CLIENT_SECRET'),
      fix: expect.stringContaining('CLIENT_AUTHENTICATION=none'),
    })
    const open = await clinic.examine({ CLIENT_SECRET: undefined, CLIENT_AUTHENTICATION: 'none' })
    expect(without(open)).toEqual([])
    expect(findingOf(open, 'client-authentication').status).toBe('pass')
  })

  it('that is taken by Basic only is found to be right, and a wrong one to be wrong', async () => {
    const { provider } = clinic
    provider.faults.token = (answer, form) => {
      const { rawHeaders = [] } = provider.requests.findLast(({ path }) => path === '/token') ?? {}
      const basic = rawHeaders.find((value) => value.startsWith('Basic '))?.slice('Basic '.length) ?? ''
      const shown = decodeURIComponent(Buffer.from(basic, 'base64').toString())
      if (shown !== `${provider.clientId}:${provider.clientSecret}`)
        return { status: 401, body: { error: 'invalid_client' } }
      return isIssued(answer, form) ? undefined : { status: 400, body: { error: 'invalid_grant' } }
    }
    expect(without(await clinic.examine())).toEqual([])
    const wrong = await clinic.examine({ CLIENT_SECRET: 'not-the-secret' })
    expect(without(wrong)).toEqual(['fail client-secret'])
  })

  it('cannot be judged where the code is looked at before the client', async () => {
    clinic.provider.faults.token = (answer, form) =>
      isIssued(answer, form) ? undefined : { status: 400, body: { error: 'invalid_grant' } }
    const report = await clinic.examine()
    expect(without(report)).toEqual(['warn client-secret'])
    expect(findingOf(report, 'client-secret').summary).toContain('could not be told')
  })

  it('that is of no use to a provider without such a method is not to be corrected', async () => {
    clinic.provider.faults.discovery = (metadata) => ({
      ...metadata,
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
    })
    clinic.provider.faults.token = () => ({ status: 401, body: { error: 'invalid_client' } })
    const { fix } = findingOf(await clinic.examine(), 'client-secret')
    expect(fix).toContain('CLIENT_KEY_FILE')
    expect(fix).not.toContain('Correct')
  })
})

describe('the token endpoint', () => {
  it.each([
    ['DPoP proof is missing', 'TOKEN_BINDING=dpop'],
    ['client_assertion is required', 'CLIENT_KEY_FILE'],
    ['this client must use mutual TLS', 'CLIENT_CERTIFICATE_FILE'],
  ])('demands, and doctor names words and setting: %s', async (words, setting) => {
    clinic.provider.faults.token = () => ({
      status: 400,
      body: { error: 'invalid_request', error_description: words },
    })
    const report = await clinic.examine()
    expect(without(report)).toEqual(['fail client-secret'])
    expect(findingOf(report, 'client-secret')).toMatchObject({
      summary: expect.stringContaining(words),
      fix: expect.stringContaining(setting),
    })
  })

  it('says what cannot be told, and the refresh is tried all the same', async () => {
    clinic.provider.faults.token = (answer, form) =>
      form.get('grant_type') === 'authorization_code'
        ? { status: 400, body: { error: 'invalid_request', error_description: 'no such thing' } }
        : soundToken(clinic.provider)(answer, form)
    const report = await clinic.examine()
    expect(without(report)).toEqual(['warn client-secret'])
    expect(findingOf(report, 'client-secret').summary).toContain('could not be told')
    expect(findingOf(report, 'refresh-grant').status).toBe('pass')
  })

  it('that does not answer a refresh is named as that', async () => {
    clinic.provider.faults.token = (answer, form) =>
      form.get('grant_type') === 'refresh_token'
        ? { status: 503, body: {} }
        : soundToken(clinic.provider)(answer, form)
    const report = await clinic.examine({}, true)
    expect(without(report)).toEqual(['warn refresh-grant', 'fail refresh-token'])
    expect(findingOf(report, 'refresh-token')).toMatchObject({
      summary: expect.stringContaining('did not answer the refresh'),
      fix: expect.stringContaining('PROVIDER_TIMEOUT'),
    })
  })
})

describe('a logout elsewhere', () => {
  it('that is told by the front channel only has its URL named', async () => {
    clinic.provider.faults.discovery = (metadata) => ({
      ...metadata,
      code_challenge_methods_supported: ['S256'],
      end_session_endpoint: `${clinic.provider.issuer}/logout`,
      frontchannel_logout_supported: true,
    })
    const report = await clinic.examine({ AUTH_PREFIX: '/auth' })
    expect(without(report)).toEqual(['warn discovery.backchannel-logout'])
    expect(findingOf(report, 'discovery.backchannel-logout').fix).toContain(
      `${clinic.env.BASE_URL}/auth/frontchannel-logout`,
    )
  })

  it('has a way back, whose URL is named', async () => {
    expect(findingOf(await clinic.examine(), 'discovery.end-session').summary).toContain(
      `${clinic.env.BASE_URL}/logout/callback`,
    )
  })
})
