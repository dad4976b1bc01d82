import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { examine } from '../../src/doctor/examine.ts'
import { findingOf, signIn } from './clinic/clinic.ts'
import { openScriptedClinic, type ScriptedClinic, soundToken } from './clinic/scripted-clinic.ts'

let clinic: ScriptedClinic
beforeAll(async () => {
  clinic = await openScriptedClinic()
})
beforeEach(() => clinic.heal())
afterAll(() => clinic.stop())

const look = (aheadMs: number, env: Readonly<Record<string, string>> = {}) =>
  examine({
    env: { ...clinic.env, ...env },
    version: '0.0.0',
    now: () => Date.now() + aheadMs,
    desk: { announce: (url) => void signIn(url), waitMs: 10_000 },
    begin: () => undefined,
    tell: () => undefined,
  })

it.each([
  [20_000, 'ahead of'],
  [-20_000, 'behind'],
])(
  'a clock that is %d ms off is found by the fresh token, where no answer has a Date',
  async (aheadMs, side) => {
    const { discovery = (metadata) => metadata } = clinic.provider.faults
    clinic.provider.faults.discoveryAnswer = () => ({
      send(response) {
        response.sendDate = false
        const { issuer } = clinic.provider
        const endpoints = {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
        }
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify(discovery(endpoints)))
      },
    })
    const report = await look(aheadMs)
    expect(findingOf(report, 'clock.provider').status).toBe('skip')
    const found = findingOf(report, 'clock.token')
    expect(found.status).toBe('warn')
    expect(found.summary).toMatch(new RegExp(`Our clock is (19|20|21) s ${side}`))
  },
)

it('a refresh that the provider never answers is named as that, and no secret is blamed', async () => {
  clinic.provider.faults.token = (answer, form) =>
    form.get('grant_type') === 'refresh_token'
      ? { send: () => undefined }
      : soundToken(clinic.provider)(answer, form)
  const report = await look(0, { PROVIDER_TIMEOUT: '1' })
  expect(findingOf(report, 'login').status).toBe('pass')
  expect(findingOf(report, 'refresh-token')).toMatchObject({
    status: 'fail',
    summary: expect.stringContaining('did not answer the refresh'),
    fix: expect.stringContaining('PROVIDER_TIMEOUT'),
  })
  expect(JSON.stringify(report)).not.toMatch(/Correct CLIENT_SECRET|not registered/)
})
