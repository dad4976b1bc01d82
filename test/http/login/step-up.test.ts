import { describe, expect, it } from 'vitest'
import type { GatewayError } from '../../../src/errors/gateway-error.ts'
import { createStepUps, type StepUpDemand } from '../../../src/http/login/step-up.ts'
import { demandKey } from '../../../src/oidc/login/demand.ts'
import { createSealer } from '../../../src/sealing/sealer.ts'

const nowMs = 1_800_000_000_000
const rules = {
  sealer: createSealer(['a-secret-of-the-tests-0123456789abcdef']),
  loginUrl: '/login',
  loginParameters: ['acr_values', 'max_age'],
  authorizationParameters: {},
  now: () => nowMs,
}
const session = { h: 'h', createdAtMs: nowMs - 1_000 }

function wayTo(demand: StepUpDemand, changes: object = {}, holder: object = {}) {
  const stepUps = createStepUps({ ...rules, ...changes })
  const { extensions } = stepUps.required({ ...session, ...holder }, demand)
  const query = new URL(String(extensions.loginUrl), 'https://x.test').searchParams
  return { query, open: () => stepUps.open(query.get('stepUp') ?? '', 'h') }
}

describe('the way to a stronger sign-in', () => {
  it('is a plain link where a link can say it', () => {
    expect([...wayTo({ acrValues: 'mfa' }).query]).toEqual([['acr_values', 'mfa']])
  })

  it.each([
    ['AUTHORIZATION_PARAMETERS', { authorizationParameters: { acr_values: 'pwd' } }],
    ['CLAIMS', { fixedClaims: '{"id_token":{"acr":{"values":["pwd"]}}}' }],
  ])('is sealed where %s fixes an acr: a plain link would say nothing', (_what, changes) => {
    expect(wayTo({ acrValues: 'mfa' }, changes).open()).toEqual({ acrValues: 'mfa' })
  })

  it.each([
    ['without words', {}],
    ['for a sign-in of this very moment', { maxAge: '0' }],
  ])('%s is not gone twice', (_what, demand) => {
    const again = wayTo(demand, {}, { lastDemand: demandKey(demand) })
    expect(again.open).toThrow(expect.objectContaining({ code: 'step_up_required' }) as GatewayError)
  })
})
