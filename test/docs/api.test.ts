import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDpopKey } from '../../src/signing/dpop-key.ts'
import { createDpopProof } from '../../src/signing/dpop-proof.ts'
import { startTestProvider, type TestProvider } from '../../src/testing/testing.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const audience = 'https://api.example.com'
const alice = { sub: 'alice' }
const now = () => Math.floor(Date.now() / 1_000)

let page: string
let provider: TestProvider
let other: TestProvider
let folder: string
let api: FastifyInstance
beforeAll(async () => {
  page = await readFile(join(project, 'docs/api.md'), 'utf8')
  provider = await startTestProvider({ audience, users: [alice] })
  other = await startTestProvider({ audience, users: [alice] })
  // Within the project, where its packages are found.
  folder = await mkdtemp(join(project, 'node_modules', '.docs-api-'))
  const [, text = ''] = /```ts\n(import Fastify.*?)```/s.exec(page) ?? []
  await writeFile(join(folder, 'api.ts'), text)
  const { createApi } = await import(join(folder, 'api.ts'))
  api = createApi({ issuer: provider.issuer, audience, jwksUrl: provider.jwksUrl })
})
afterAll(async () => {
  await api.close()
  await provider.stop()
  await other.stop()
  await rm(folder, { recursive: true })
})

const call = async (token: string | undefined, method: 'GET' | 'DELETE' = 'GET') => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const { statusCode, headers: answered } = await api.inject({ method, url: '/orders', headers })
  return [statusCode, answered['www-authenticate']]
}
const mayRead = { permissions: ['read:orders'] }

describe('the Fastify example of docs/api.md', () => {
  it('takes a token with the permission, in either spelling', async () => {
    expect(await call(provider.accessToken(alice, mayRead))).toEqual([200, undefined])
    expect(await call(provider.accessToken(alice, { scope: 'openid read:orders' }))).toEqual([200, undefined])
  })

  it('answers 403 where only the permission is missing', async () => {
    expect(await call(provider.accessToken(alice))).toEqual([
      403,
      'Bearer error="insufficient_scope", scope="read:orders"',
    ])
  })

  it('answers 401 to whatever is no token of this issuer for this audience', async () => {
    expect(await call(undefined)).toEqual([401, 'Bearer'])
    const refused = [
      provider.accessToken(alice, { ...mayRead, exp: now() - 60 }),
      provider.accessToken(alice, { ...mayRead, aud: 'https://another.example' }),
      provider.accessToken(alice, { ...mayRead, iss: `${provider.issuer}/` }),
      other.accessToken(alice, { ...mayRead, iss: provider.issuer }),
      'no.token',
    ]
    for (const token of refused)
      expect(await call(token)).toEqual([401, expect.stringContaining('error="invalid_token"')])
  })

  it('asks for a fresh sign-in in the words that the gateway understands', async () => {
    const fresh = provider.accessToken(alice, { auth_time: now() })
    expect(await call(fresh, 'DELETE')).toEqual([200, undefined])
    const old = provider.accessToken(alice, { auth_time: now() - 600 })
    expect(await call(old, 'DELETE')).toEqual([
      401,
      'Bearer error="insufficient_user_authentication", max_age=300',
    ])
  })
})

describe('the check of proofs in docs/api.md', () => {
  const key = createDpopKey()
  const url = '/v1/orders?page=2'
  const token = 'a.token.here'
  const claims = { cnf: { jkt: key.thumbprint } }
  const proofWith = (changes: object = {}, signer = key): string => {
    const target = {
      method: 'GET',
      url: 'https://api.example.com/v1/orders',
      accessTokenHash: createHash('sha256').update(token).digest('base64url'),
      nonce: undefined,
    }
    return createDpopProof(signer, { ...target, ...changes }, Date.now())
  }
  const requestOf = (dpop: string | undefined, scheme = 'DPoP') => ({
    method: 'GET',
    url,
    headers: { authorization: `${scheme} ${token}`, dpop },
  })
  const check = async (request: object, bound: object = claims): Promise<string> => {
    await expectProof(request, bound)
    return 'taken'
  }
  let expectProof: (request: object, claims: object) => Promise<void>
  beforeAll(async () => {
    const [, text = ''] = /```js\n(import \{ createHash \}.*?)```/s.exec(page) ?? []
    await writeFile(join(folder, 'proofs.mjs'), text)
    const { proofChecker } = await import(join(folder, 'proofs.mjs'))
    expectProof = proofChecker({ origin: 'https://api.example.com' })
  })

  it("takes the gateway's proof once", async () => {
    const request = requestOf(proofWith())
    expect(await check(request)).toBe('taken')
    await expect(check(request)).rejects.toThrow('used before')
  })

  it('refuses the token without it, with another, and a proof for something else', async () => {
    await expect(check(requestOf(undefined))).rejects.toThrow()
    await expect(check(requestOf(proofWith(), 'Bearer'))).rejects.toThrow('scheme')
    await expect(check(requestOf(proofWith(), 'Bearer'), {})).rejects.toThrow('bound tokens only')
    await expect(check(requestOf(`${proofWith()}, ${proofWith()}`))).rejects.toThrow()
    await expect(check(requestOf(proofWith({}, createDpopKey())))).rejects.toThrow('another key')
    await expect(check(requestOf(proofWith({ method: 'PUT' })))).rejects.toThrow('htm')
    await expect(check(requestOf(proofWith({ url: 'https://api.example.com/v1' })))).rejects.toThrow('htu')
    await expect(check(requestOf(proofWith({ accessTokenHash: 'x' })))).rejects.toThrow('ath')
  })
})

it('the Express example of docs/api.md is the one that CI runs', async () => {
  const tokens = await readFile(join(project, 'examples/react-express/api/tokens.js'), 'utf8')
  expect(page).toContain(tokens)
})
