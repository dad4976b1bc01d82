import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { claimsOf, createProofVerifier, valuesOf } from '../../support/api/proof-verifier.ts'
import { logIn, openProvider } from '../../support/provider/scripted-login.ts'
import { type ScriptedProvider, startScriptedProvider } from '../../support/provider/scripted-provider.ts'

let scripted: ScriptedProvider
const opened: Provider[] = []
beforeAll(async () => {
  scripted = await startScriptedProvider()
})
beforeEach(() => {
  for (const fault of Object.keys(scripted.faults)) Reflect.deleteProperty(scripted.faults, fault)
  scripted.faults.dpop = {}
})
afterAll(async () => {
  for (const provider of opened) await provider.close()
  await scripted.stop()
})

function open(changes: Partial<ProviderOptions> = {}): Provider {
  const provider = openProvider(scripted, { tokenBinding: 'dpop', ...changes })
  opened.push(provider)
  return provider
}

const proofOf = (path: string) => {
  const { rawHeaders = [] } = scripted.requests.findLast((request) => request.path === path) ?? {}
  return valuesOf(rawHeaders, 'dpop')
}
const audience = () =>
  ({
    key: scripted.audience,
    value: scripted.audience,
    parameter: 'audience',
    accepted: [scripted.audience],
    scope: undefined,
  }) as const

describe('a login whose tokens are bound to a key', () => {
  it('asks the userinfo endpoint with the token and a proof, once more with its nonce', async () => {
    let asked = 0
    scripted.faults.userinfo = () => {
      asked += 1
      return asked === 1
        ? {
            status: 401,
            headers: { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'of-the-resource' },
          }
        : { body: { sub: 'alice', name: 'Alice of userinfo' } }
    }
    const login = await logIn(scripted, open({ userinfo: true }))
    const accessToken = login.accessToken.value
    const { rawHeaders = [] } = scripted.requests.findLast(({ path }) => path === '/userinfo') ?? {}
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`DPoP ${accessToken}`])
    const received = { method: 'GET', url: `${scripted.issuer}/userinfo`, accessToken }
    const verifier = createProofVerifier(() => ['of-the-resource'])
    expect(verifier.verify({ ...received, proofs: proofOf('/userinfo') })).toBe(login.accessToken.boundTo)
    expect(asked).toBe(2)
  })

  it('names the public address in its proofs where the provider is reached at another one', async () => {
    const { port } = new URL(scripted.issuer)
    const publicOrigin = 'https://login.example.test'
    scripted.faults.discovery = (metadata) =>
      JSON.parse(JSON.stringify(metadata).replaceAll(scripted.issuer, publicOrigin))
    // The verifier of the scripted provider knows its own address alone, so the proof is looked at here.
    scripted.faults.dpop = undefined
    scripted.faults.token = (answer) => ({ body: answer })
    const provider = openProvider(scripted, {
      tokenBinding: 'dpop',
      issuerUrl: publicOrigin,
      providerAddress: new URL(`http://127.0.0.1:${port}`),
    })
    opened.push(provider)
    await expect(logIn(scripted, provider)).rejects.toMatchObject({ context: { check: 'token.type' } })
    expect(claimsOf(proofOf('/token')[0]).htu).toBe(`${publicOrigin}/token`)
  })

  it.each([
    ['another key', { jkt: 'A'.repeat(43) }],
    ['a certificate', { 'x5t#S256': 'A'.repeat(43) }],
    ['nothing', undefined],
  ])('is refused when the token is bound to %s', async (_what, cnf) => {
    scripted.faults.accessToken = (claims) => {
      claims.cnf = cnf
      return undefined
    }
    await expect(logIn(scripted, open())).rejects.toMatchObject({
      code: 'login_refused',
      context: { check: 'token.cnf' },
    })
  })

  it.each(['DPOP', 'dpop'])('takes the type %s', async (type) => {
    scripted.faults.token = (answer) => ({ body: { ...answer, token_type: type } })
    expect((await logIn(scripted, open())).accessToken.boundTo).toMatch(/^[\w-]{43}$/)
  })

  it('counts an opaque token by its type', async () => {
    scripted.faults.accessToken = () => 'opaque-token'
    const login = await logIn(scripted, open({ accessTokenFormat: 'any' }))
    expect(login.accessToken.boundTo).toMatch(/^[\w-]{43}$/)
  })

  it.each([
    ['400', 400, {}, { error: 'use_dpop_nonce' }],
    ['401', 401, {}, { error: 'use_dpop_nonce' }],
    ['a challenge', 401, { 'www-authenticate': 'DPoP error="use_dpop_nonce"' }, ''],
  ])(
    'is given once more the nonce that is asked for by %s, and the next one at once',
    async (what, status, headers, body) => {
      const nonce = `asked-for-by-${what.replace(' ', '-')}`
      let asked = 0
      scripted.faults.token = (answer) => {
        asked += 1
        return asked === 1 ? { status, body, headers: { ...headers, 'dpop-nonce': nonce } } : { body: answer }
      }
      const provider = open()
      await logIn(scripted, provider)
      expect(asked).toBe(2)
      await logIn(scripted, provider)
      expect(asked).toBe(3)
      expect(claimsOf(proofOf('/token')[0]).nonce).toBe(nonce)
    },
  )

  it('asks a provider that never takes a nonce twice, and says that it is not there', async () => {
    let turn = 0
    scripted.faults.dpop = {
      nonces: () => {
        turn += 1
        return [`never-the-same-${turn}`]
      },
    }
    const before = scripted.count('/token')
    await expect(logIn(scripted, open())).rejects.toMatchObject({ code: 'provider_unavailable' })
    expect(scripted.count('/token') - before).toBe(2)
  })
})

describe('a refresh', () => {
  it.each([
    ['bearer tokens for a session with a key', 'token.type'],
    ['another key for a session with a key', 'token.cnf'],
  ])('that brings %s ends the session, and what came is to be revoked', async (what, check) => {
    const provider = open()
    const login = await logIn(scripted, provider)
    if (what.startsWith('bearer'))
      scripted.faults.token = (answer) => ({ body: { ...answer, token_type: 'Bearer' } })
    else
      scripted.faults.accessToken = (claims) => {
        claims.cnf = { jkt: 'A'.repeat(43) }
        return undefined
      }
    const { refreshToken = '', identity, binding } = login
    const outcome = await provider.refresh({ refreshToken, identity, audience: audience(), binding })
    expect(outcome).toMatchObject({ kind: 'invalid', facts: { check } })
    expect(outcome).toHaveProperty('obtainedRefreshToken', expect.stringMatching(/^rt-/))
  })

  it('of a session from before the setting proves nothing, and takes bearer tokens alone', async () => {
    scripted.faults.dpop = undefined
    const login = await logIn(scripted, open({ tokenBinding: 'none' }))
    const { refreshToken = '', identity } = login
    const provider = open()
    const request = { refreshToken, identity, audience: audience() }
    expect(await provider.refresh(request)).toMatchObject({ kind: 'refreshed' })
    expect(proofOf('/token')).toEqual([])
    scripted.faults.token = (answer) => ({ body: { ...answer, token_type: 'DPoP' } })
    expect(await provider.refresh(request)).toMatchObject({ kind: 'invalid', facts: { check: 'token.type' } })
  })
})
