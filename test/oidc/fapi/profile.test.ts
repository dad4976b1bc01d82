import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { publishedKeys, readPrivateKeys } from '../../../src/signing/signing-keys.ts'
import { openFapi, signIn } from '../../support/provider/fapi-login.ts'
import { type FapiProvider, startFapiProvider } from '../../support/provider/fapi-provider.ts'
import { logIn, openProvider } from '../../support/provider/scripted-login.ts'
import { startScriptedProvider } from '../../support/provider/scripted-provider.ts'

const pemOf = (pair: ReturnType<typeof generateKeyPairSync>) =>
  pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
const rsaPem = pemOf(generateKeyPairSync('rsa', { modulusLength: 2_048 }))
const client = {
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys: publishedKeys(readPrivateKeys(rsaPem), 'sig') },
  dpop_bound_access_tokens: true,
  authorization_signed_response_alg: 'PS256',
}
const features = { dPoP: { enabled: true } }

let fapi: FapiProvider
let downgraded: FapiProvider
const opened: Provider[] = []
beforeAll(async () => {
  fapi = await startFapiProvider({ client, features })
  downgraded = await startFapiProvider({
    client: { ...client, id_token_signed_response_alg: 'RS256', authorization_signed_response_alg: 'RS256' },
    features,
  })
})
afterAll(async () => {
  for (const provider of opened) await provider.close()
  await Promise.all([fapi.stop(), downgraded.stop()])
})

/** As the configuration has it with `SECURITY_PROFILE=fapi2`. */
const profile = {
  securityProfile: 'fapi2',
  pushedAuthorizationRequests: 'on',
  tokenBinding: 'dpop',
  idTokenAlgorithm: ['PS256', 'ES256', 'EdDSA'],
} as const
const signing = {
  ...profile,
  securityProfile: 'fapi2-message-signing',
  requestObject: 'signed',
  responseMode: 'jwt',
} as const

function open(at: FapiProvider, changes: Partial<ProviderOptions>): Provider {
  const provider = openFapi(at, { clientKey: rsaPem, ...changes })
  opened.push(provider)
  return provider
}

const algorithmOf = (jwt = '') => JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString()).alg

describe('FAPI 2.0', () => {
  it.each([
    ['the security profile', profile],
    ['message signing', signing],
  ])(
    '%s: signs in with PS256 and a key of the session, the browser carrying a reference',
    async (_name, settings) => {
      const from = fapi.requests.length
      const { login, url } = await signIn(fapi, open(fapi, settings))
      expect([...url.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri'])
      expect(login.accessToken.boundTo).toMatch(/^[\w-]{43}$/)
      const forms = fapi.requests.slice(from).map(({ form }) => form)
      const signed = forms.flatMap((form) => [form.get('client_assertion'), form.get('request')])
      const algorithms = signed.flatMap((jwt) => (jwt === null ? [] : [algorithmOf(jwt)]))
      expect(new Set(algorithms)).toEqual(new Set(['PS256']))
    },
  )

  it('refuses a response without its issuer where the metadata do not announce one, as no other client does', async () => {
    const scripted = await startScriptedProvider()
    const settings = { idTokenAlgorithm: ['RS256'] }
    const demanding = openProvider(scripted, { ...settings, securityProfile: 'fapi2' })
    const usual = openProvider(scripted, settings)
    try {
      await expect(logIn(scripted, demanding)).rejects.toMatchObject({
        code: 'login_refused',
        context: { check: 'response.iss', expected: scripted.issuer, received: 'none' },
      })
      expect((await logIn(scripted, usual)).identity.subject).toBe('alice')
    } finally {
      await Promise.all([demanding.close(), usual.close()])
      await scripted.stop()
    }
  })

  it('refuses a response that has lost its issuer', async () => {
    fapi.tamper = (location) => {
      location.searchParams.delete('iss')
      return location
    }
    try {
      await expect(signIn(fapi, open(fapi, profile))).rejects.toMatchObject({
        code: 'login_refused',
        context: { check: 'response.iss' },
      })
    } finally {
      fapi.tamper = undefined
    }
  })

  it('refuses an ID token of RS256', async () => {
    await expect(signIn(downgraded, open(downgraded, profile))).rejects.toMatchObject({
      code: 'login_refused',
      context: { check: 'id_token.alg' },
    })
  })

  it('refuses a response that is signed with RS256, and one that is not signed', async () => {
    await expect(signIn(downgraded, open(downgraded, signing))).rejects.toMatchObject({
      code: 'login_refused',
    })
    fapi.tamper = (location) => {
      const { state } = decodeJwt(location.searchParams.get('response') ?? '')
      return new URL(`${location.origin}${location.pathname}?code=c&state=${state}`)
    }
    try {
      await expect(signIn(fapi, open(fapi, signing))).rejects.toMatchObject({
        context: { check: 'response.mode' },
      })
    } finally {
      fapi.tamper = undefined
    }
  })
})
