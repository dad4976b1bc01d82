import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import { discoveryEndpointsCheck } from '../../src/doctor/checks/discovery/discovery-endpoints.ts'
import { createDoctorContext } from '../../src/doctor/context.ts'
import { SkipCheck } from '../../src/doctor/finding.ts'
import { apiAudience, providerPaths } from '../support/provider/oidc-provider.ts'
import { startRedis } from '../support/redis/redis.ts'
import { audiences, type Clinic, findingOf, openClinic, secrets, troubles } from './clinic/clinic.ts'

let clinic: Clinic

/** Without what nobody may do at the clinic's ill APIs. */
const loginScope = 'openid profile email offline_access'

beforeAll(async () => {
  clinic = await openClinic()
})
afterAll(() => clinic.stop())

describe('coatcheck doctor', () => {
  it('finds nothing wrong with a healthy configuration', async () => {
    const report = await clinic.examine()
    expect(troubles(report)).toEqual([])
    expect(report).toMatchObject({ ok: true, issuer: clinic.provider.issuer, provider: null })
    expect(report.counts).toMatchObject({ fail: 0, warn: 0, skip: 0 })
  })

  it('explains the tokens of a healthy login, and leaves none of them alive', async () => {
    const report = await clinic.examine({ login: true })
    expect(troubles(report)).toEqual([])
    expect(findingOf(report, 'access-token.algorithm').summary).toContain('RS256')
    expect(findingOf(report, 'access-token.audience').summary).toContain(apiAudience)
    expect(findingOf(report, 'access-token.lifetime').summary).toContain('10 min')
    expect(findingOf(report, 'access-token.permissions').summary).toContain('admin:orders')
    expect(findingOf(report, 'refresh-token').summary).toContain('replaced at each use')
    const { refreshToken, accessToken, idToken } = clinic.provider.lastTokens()
    const text = JSON.stringify(report)
    for (const secret of [refreshToken, accessToken, idToken, ...Object.values(secrets)]) {
      expect(secret).not.toBe('')
      expect(text).not.toContain(secret)
    }
    expect(await clinic.provider.tryRefresh(refreshToken)).toBe(403)
  })

  it('names a wrong audience', async () => {
    const report = await clinic.examine({ env: { API_AUDIENCE: 'https://api.example.test/' } })
    expect(troubles(report)).toEqual(['fail audience'])
    expect(findingOf(report, 'audience')).toMatchObject({
      summary: 'The provider does not know the API audience "https://api.example.test/".',
      fix: expect.stringMatching(/^Correct API_AUDIENCE\..*letter by letter/),
    })
  })

  it("speaks in Auth0's words when a custom domain hides Auth0", async () => {
    const { gate, issuer } = clinic.provider
    const path = providerPaths.discovery
    const metadata = (await (await fetch(`${gate.origin}${path}`)).json()) as Record<string, unknown>
    const undo = gate.answer(path, 200, { ...metadata, mfa_challenge_endpoint: `${issuer}mfa/challenge` })
    const report = await clinic.examine({ env: { API_AUDIENCE: 'https://wrong.example.test' } })
    undo()
    expect(report.provider).toBe('Auth0')
    expect(findingOf(report, 'audience').fix).toContain('Applications → APIs')
  })

  it('names a wrong client secret, without showing it', async () => {
    const wrong = 'a-wrong-secret-that-nobody-may-see'
    const report = await clinic.examine({ env: { CLIENT_SECRET: wrong } })
    expect(troubles(report)).toEqual(['fail client-secret'])
    expect(findingOf(report, 'client-secret').fix).toMatch(/^Correct CLIENT_SECRET; it was sent by/)
    expect(findingOf(report, 'refresh-grant').status).toBe('skip')
    expect(JSON.stringify(report)).not.toContain(wrong)
  })

  it('names an unknown client', async () => {
    const report = await clinic.examine({ env: { CLIENT_ID: 'somebody-else' } })
    expect(troubles(report)).toEqual(['fail client'])
    expect(findingOf(report, 'client')).toMatchObject({
      summary: 'The provider does not know the client "somebody-else".',
      fix: expect.stringMatching(/^Correct CLIENT_ID\./),
    })
  })

  it('names a callback URL that is not registered', async () => {
    const report = await clinic.examine({ env: { AUTH_PREFIX: '/auth' } })
    const uri = `${clinic.env.BASE_URL}/auth/callback`
    expect(troubles(report)).toEqual(['fail redirect-uri'])
    expect(findingOf(report, 'redirect-uri')).toMatchObject({
      summary: `The callback URL ${uri} is not registered at the provider.`,
      fix: expect.stringContaining(`The callback URL to register is ${uri}.`),
    })
  })

  it('names an API whose tokens are signed with a shared secret', async () => {
    const report = await clinic.examine({
      env: { API_AUDIENCE: audiences.shared, SCOPE: loginScope },
      login: true,
    })
    expect(troubles(report)).toEqual(['fail access-token.algorithm', 'fail upstream.token'])
    expect(findingOf(report, 'access-token.algorithm')).toMatchObject({
      summary: expect.stringMatching(/signed with HS256, a shared secret/),
      fix: expect.stringContaining('RS256'),
    })
  })

  it('names an API that allows no offline access', async () => {
    const report = await clinic.examine({
      env: { API_AUDIENCE: audiences.withoutOffline, SCOPE: loginScope },
      login: true,
    })
    expect(troubles(report)).toEqual(['fail refresh-token', 'fail upstream.token'])
    expect(findingOf(report, 'refresh-token')).toMatchObject({
      summary: expect.stringContaining('although offline_access was asked for'),
      fix: expect.stringContaining('Allow refresh tokens (offline access) for this client and this API'),
    })
  })

  it('names an access token that is opaque because no audience was asked for', async () => {
    const report = await clinic.examine({ env: { AUDIENCE_PARAMETER: 'none' }, login: true })
    expect(troubles(report)).toEqual(['fail access-token.format'])
    expect(findingOf(report, 'access-token.format')).toMatchObject({
      summary: expect.stringMatching(/^The access token is encrypted \(a JWE\)/),
      fix: expect.stringContaining('AUDIENCE_PARAMETER'),
    })
    expect(findingOf(report, 'access-token.algorithm').status).toBe('skip')
    expect(findingOf(report, 'upstream.token').status).toBe('skip')
  })

  it('names a Redis that evicts', async () => {
    const conf = { appendonly: 'yes', maxmemory: '50mb', 'maxmemory-policy': 'allkeys-lru' }
    const redis = await startRedis({ conf })
    const report = await clinic.examine({ env: { REDIS_URL: redis.url } })
    await redis.stop()
    expect(troubles(report)).toEqual(['fail redis.eviction'])
    expect(findingOf(report, 'redis.eviction')).toMatchObject({
      summary: expect.stringContaining('maxmemory-policy allkeys-lru'),
      fix: expect.stringContaining('noeviction'),
    })
  })

  it('names a clock that is off', async () => {
    const behind = await clinic.examine({ aheadMs: -90_000 })
    expect(troubles(behind)).toEqual(['fail clock.provider', 'fail clock.redis'])
    expect(findingOf(behind, 'clock.provider')).toMatchObject({
      summary: expect.stringMatching(/^Our clock is (?:89|90|91) s behind the provider's: tokens are taken/),
      fix: expect.stringContaining('NTP'),
    })
    const ahead = await clinic.examine({ aheadMs: 15_000 })
    expect(troubles(ahead)).toEqual(['warn clock.provider', 'warn clock.redis'])
    expect(findingOf(ahead, 'clock.redis').summary).toMatch(/^Our clock is 15 s ahead of Redis'/)
  })

  it('names a slash that the issuer lacks', async () => {
    const issuer = clinic.provider.issuer
    const report = await clinic.examine({ env: { ISSUER_URL: issuer.replace(/\/$/, '') } })
    expect(troubles(report)).toEqual(['fail discovery'])
    expect(findingOf(report, 'discovery')).toMatchObject({
      summary: expect.stringMatching(/^Only the slash at the end of ISSUER_URL is wrong/),
      fix: `ISSUER_URL=${issuer}`,
    })
    expect(findingOf(report, 'client').status).toBe('skip')
  })

  it('names an API that is down', async () => {
    await clinic.api.stop()
    const report = await clinic.examine()
    await clinic.api.start()
    expect(troubles(report)).toEqual(['fail upstream'])
    expect(findingOf(report, 'upstream')).toMatchObject({
      subject: '/api',
      summary: `${clinic.api.url}/ cannot be reached: nobody listens there (ECONNREFUSED).`,
      fix: expect.stringMatching(/^Start the API, or correct API_URL/),
    })
  })

  it('names a BASE_URL without https, and every other fault of the settings', async () => {
    const report = await clinic.examine({ env: { BASE_URL: 'http://app.example.com', PORT: 'x' } })
    expect(report.checks).toEqual([
      {
        check: 'settings',
        status: 'fail',
        subject: 'BASE_URL',
        summary: 'BASE_URL must be https (plain http is for loopback only).',
        fix: 'BASE_URL=https://app.example.com',
      },
      expect.objectContaining({ check: 'settings', status: 'fail', subject: 'PORT' }),
    ])
    expect(report).toMatchObject({ ok: false, issuer: null })
  })

  it('names a provider without endpoints, and one that offers too little', async () => {
    const { gate, issuer } = clinic.provider
    const path = providerPaths.discovery
    const metadata = (await (await fetch(`${gate.origin}${path}`)).json()) as Record<string, unknown>
    const undo = gate.answer(path, 200, { ...metadata, token_endpoint: 'http://elsewhere.example/token' })
    const withoutToken = await clinic.examine()
    undo()
    expect(troubles(withoutToken)).toEqual(['fail discovery.endpoints'])
    expect(findingOf(withoutToken, 'discovery.endpoints').summary).toBe(
      'The provider announces no token_endpoint with https.',
    )
    const poor = {
      issuer,
      authorization_endpoint: metadata.authorization_endpoint,
      token_endpoint: metadata.token_endpoint,
      jwks_uri: metadata.jwks_uri,
      id_token_signing_alg_values_supported: ['HS256'],
      code_challenge_methods_supported: ['plain'],
      response_modes_supported: ['fragment'],
      require_signed_request_object: true,
      require_pushed_authorization_requests: true,
    }
    const aged = { date: new Date(Date.now() - 3_600_000).toUTCString(), age: '3600' }
    const undoPoor = gate.answer(path, 200, poor, aged)
    const report = await clinic.examine()
    undoPoor()
    expect(troubles(report)).toEqual([
      'fail discovery.keys',
      'fail discovery.pkce',
      'fail discovery.par',
      'fail discovery.client',
      'fail discovery.client',
      'warn discovery.end-session',
      'warn discovery.revocation',
      'warn discovery.backchannel-logout',
    ])
  })

  it('names whatever else keeps the gateway from taking a discovery document', async () => {
    const refusal = 'The gateway does not accept this discovery document: the reason.'
    const { context } = createDoctorContext(loadConfig(clinic.env), {
      now: Date.now,
      desk: { announce: () => undefined, waitMs: 0 },
    })
    const provider = () => Promise.reject(new SkipCheck(refusal))
    expect(await discoveryEndpointsCheck.examine({ ...context, provider })).toMatchObject({
      status: 'fail',
      summary: refusal,
    })
  })

  it('names a provider that is down, and skips what needs it', async () => {
    const { gate } = clinic.provider
    await gate.down()
    const report = await clinic.examine()
    await gate.up()
    expect(troubles(report)).toEqual(['fail discovery'])
    expect(findingOf(report, 'discovery').summary).toMatch(
      /^The provider cannot be reached: (?:nobody listens there|the connection was cut off) \(/,
    )
    expect(findingOf(report, 'client-secret')).toEqual({
      check: 'client-secret',
      status: 'skip',
      summary: 'The provider was not discovered.',
    })
  })

  it('names a session store that ends with the process: a warning on loopback, a fault elsewhere', async () => {
    const local = await clinic.examine({ env: { REDIS_URL: undefined } })
    expect(findingOf(local, 'session-store').status).toBe('warn')
    const elsewhere = await clinic.examine({
      env: { REDIS_URL: undefined, BASE_URL: 'https://app.invalid' },
    })
    expect(findingOf(elsewhere, 'session-store')).toMatchObject({
      status: 'fail',
      fix: expect.stringMatching(/^Set REDIS_URL/),
    })
  })
})
