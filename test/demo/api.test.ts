import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningApi, startDemoApi } from '../../demo/api/api.ts'
import { cloakroom, cloakroomAudience, demoScope, people } from '../../demo/world.ts'
import { type DemoProvider, startDemoProvider } from '../../src/dev/provider/provider.ts'
import { createDpopKey } from '../../src/signing/dpop-key.ts'
import { createDpopProof } from '../../src/signing/dpop-proof.ts'
import { sha256 } from '../../src/signing/thumbprints.ts'
import { newTab, signIn, tenant } from './sign-in.ts'

let provider: DemoProvider
let api: RunningApi

beforeAll(async () => {
  const other = { identifier: 'https://other.example', permissions: [] }
  provider = await startDemoProvider({ ...tenant, apis: [cloakroom, other], users: people })
  api = await startDemoApi({ issuer: provider.issuer, audience: cloakroomAudience })
})

afterAll(async () => {
  await api.stop()
  await provider.stop()
})

async function tokenOf(user: string, audience = cloakroomAudience): Promise<string> {
  const { access_token } = await signIn(provider, { audience, login_hint: user, scope: demoScope })
  return access_token
}

const call = (path: string, token: string): Promise<Response> =>
  fetch(api.url + path, { headers: { authorization: `Bearer ${token}` } })

const replaceSignature = (token: string): string =>
  token.replace(/[^.]+$/, (signature) => [...signature].reverse().join(''))

describe('the cloakroom API', () => {
  it('takes the user and the permissions from the verified token, and never sends the token back', async () => {
    const token = await tokenOf('demo|ben')
    const answer = await (await call('/me', token)).text()
    expect(JSON.parse(answer)).toMatchObject({ user: 'demo|ben', permissions: ['read:coats'] })
    expect(answer).not.toContain(token)
  })

  it('answers 401 without a token, to a forged one and to one for another audience', async () => {
    expect((await fetch(`${api.url}/me`)).status).toBe(401)
    expect((await call('/me', replaceSignature(await tokenOf('demo|ada')))).status).toBe(401)
    expect((await call('/me', await tokenOf('demo|ada', 'https://other.example'))).status).toBe(401)
  })

  it('answers 401 to an expired token', async () => {
    provider.knobs.accessTokenTtlSeconds = 1
    const token = await tokenOf('demo|ada')
    provider.knobs.accessTokenTtlSeconds = 90
    await expect.poll(async () => (await call('/me', token)).status, { timeout: 5_000 }).toBe(401)
  })

  it('answers 403 without the permission, naming it, and 200 with it', async () => {
    const refused = await call('/inventory', await tokenOf('demo|ben'))
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('read:inventory')
    expect((await call('/inventory', await tokenOf('demo|ada'))).status).toBe(200)
  })

  it('takes a bound token with a proof for this very request, once, and alone only while no proof is demanded', async () => {
    const key = createDpopKey()
    const proofFor = (method: string, url: string, token?: string, nowMs = Date.now(), by = key): string => {
      const accessTokenHash = token === undefined ? undefined : sha256(token)
      return createDpopProof(by, { method, url, accessTokenHash, nonce: undefined }, nowMs)
    }
    const bound = { audience: cloakroomAudience, login_hint: 'demo|ada', scope: demoScope }
    const dpop = proofFor('POST', `${provider.issuer}oauth/token`)
    const { access_token: token } = await signIn(provider, bound, newTab(), { dpop })
    const me = `${api.url}/me`
    const tell = async (proof: string): Promise<string> => {
      const headers = { authorization: `DPoP ${token}`, ...(proof === '' ? {} : { dpop: proof }) }
      const answer = await fetch(me, { headers })
      return ((await answer.json()) as { detail?: string }).detail ?? `${answer.status}`
    }
    const good = proofFor('GET', me, token)
    expect(await tell(good)).toBe('200')
    expect(await tell(good)).toContain('used before')
    expect(await tell('')).toContain('no valid proof')
    expect(await tell(`${proofFor('GET', me, token)}, ${proofFor('GET', me, token)}`)).toContain(
      'no valid proof',
    )
    expect(await tell(replaceSignature(proofFor('GET', me, token)))).toContain('no valid proof')
    expect(await tell(proofFor('POST', me, token))).toContain('another request')
    expect(await tell(proofFor('GET', `${api.url}/coats`, token))).toContain('another request')
    expect(await tell(proofFor('GET', me, 'another'))).toContain('another token')
    expect(await tell(proofFor('GET', me, token, Date.now() - 90_000))).toContain('stale')
    expect(await tell(proofFor('GET', me, token, Date.now(), createDpopKey()))).toContain('another key')
    expect((await call('/me', token)).status).toBe(200)
    api.demand.isProofDemanded = true
    const refused = await call('/me', token)
    api.demand.isProofDemanded = false
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'DPoP error="invalid_token"',
    ])
  })

  it('streams events until the caller hangs up', async () => {
    const request = get(`${api.url}/bell`, {
      headers: { authorization: `Bearer ${await tokenOf('demo|ada')}` },
    })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const [chunk] = (await once(response, 'data')) as [Buffer]
    expect(response.headers['content-type']).toBe('text/event-stream')
    expect(`${chunk}`).toMatch(/^id: 1\ndata: \{"text":/)
    request.destroy()
  })
})
