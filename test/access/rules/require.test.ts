import { expect, it } from 'vitest'
import { judge } from '../../../src/access/rules/require.ts'

const nowMs = 1_800_000_000_000
const nowSeconds = nowMs / 1_000

const kindOf = (authTimeSeconds: number | undefined): string =>
  judge(
    { acr: undefined, maxAgeSeconds: 300, claims: [], any: [] },
    { identity: {}, accessToken: {}, acr: undefined, authTimeSeconds },
    nowMs,
  ).kind

it.each<[string, number | undefined, string]>([
  ['of just now', nowSeconds, 'met'],
  ['as old as is allowed, less a second', nowSeconds - 299, 'met'],
  ['older', nowSeconds - 300, 'step_up'],
  ['ahead of our clock by what clocks may differ', nowSeconds + 30, 'met'],
  ['further ahead', nowSeconds + 31, 'step_up'],
  ['that nobody has said', undefined, 'step_up'],
])('a sign-in %s', (_name, authTimeSeconds, kind) => {
  expect(kindOf(authTimeSeconds)).toBe(kind)
})
