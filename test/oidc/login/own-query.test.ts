import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import { claimsOf } from '../../support/api/proof-verifier.ts'
import { openProvider } from '../../support/provider/scripted-login.ts'
import { type ScriptedProvider, startScriptedProvider } from '../../support/provider/scripted-provider.ts'

const clientKey = `${generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ format: 'pem', type: 'pkcs8' })}`

let scripted: ScriptedProvider
beforeAll(async () => {
  scripted = await startScriptedProvider()
  scripted.faults.discovery = (metadata) => ({
    ...metadata,
    authorization_endpoint: `${scripted.issuer}/authorize?p=b2c_1_sign-in`,
    pushed_authorization_request_endpoint: `${scripted.issuer}/par`,
  })
})
afterAll(() => scripted.stop())

it.each<readonly [string, Partial<ProviderOptions>, readonly string[]]>([
  [
    'a plain request',
    {},
    [
      'audience',
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'nonce',
      'p',
      'redirect_uri',
      'response_type',
      'scope',
      'state',
    ],
  ],
  [
    'a signed one',
    { requestObject: 'signed', clientKey },
    ['client_id', 'p', 'request', 'response_type', 'scope'],
  ],
  ['a pushed one', { pushedAuthorizationRequests: 'on' }, ['client_id', 'p', 'request_uri']],
  [
    'a signed and pushed one',
    { pushedAuthorizationRequests: 'on', requestObject: 'signed', clientKey },
    ['client_id', 'p', 'request_uri'],
  ],
])(
  "an authorization endpoint's own query stays in its address and goes nowhere else: %s",
  async (_what, options, names) => {
    const provider = openProvider(scripted, options)
    try {
      const { url } = await provider.beginLogin({ returnTo: '/', parameters: {}, endsSession: undefined })
      expect([...url.searchParams.keys()].sort()).toEqual(names)
      expect(url.searchParams.getAll('p')).toEqual(['b2c_1_sign-in'])
      const form = scripted.requests.findLast(({ path }) => path === '/par')?.form ?? new URLSearchParams()
      const inside = claimsOf(form.get('request') ?? url.searchParams.get('request') ?? 'e30.e30.')
      expect([form.has('p'), 'p' in inside]).toEqual([false, false])
    } finally {
      await provider.close()
    }
  },
)
