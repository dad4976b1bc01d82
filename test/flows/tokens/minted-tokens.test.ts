import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { documented, schemaFault } from '../../docs/openapi.ts'
import {
  type JwtVerifier,
  tampered,
  verifyByHand,
  verifyByMetadata,
  verifyInPython,
} from '../../support/api/jwt-verifiers.ts'
import { valuesOf } from '../../support/api/upstream.ts'
import { type AccessWorld, ownPage, startAccessWorld } from '../../support/worlds/access-world.ts'

const newKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()

let world: AccessWorld
let folder: string
let keyFile: string
const [first, second] = [newKey(), newKey()]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-minted-'))
  keyFile = join(folder, 'gateway.pem')
  await writeFile(keyFile, first)
  const route = { prefix: '/minted', token: 'gateway', claims: ['name'], callers: ['session', 'bearer'] }
  world = await startAccessWorld([route], { GATEWAY_KEY: '', GATEWAY_KEY_FILE: keyFile })
})
afterAll(async () => {
  await world.stop()
  await rm(folder, { recursive: true })
})

async function replaceKeys(...keys: readonly string[]): Promise<void> {
  await writeFile(`${keyFile}.new`, keys.join(''))
  await rename(`${keyFile}.new`, keyFile)
}

async function tokenOf(cookie: string): Promise<string> {
  const [, arrived] = await world.arrivedOf(() => world.get('/minted/x', { cookie, ...ownPage }))
  const [authorization = ''] = arrived === undefined ? [] : valuesOf(arrived, 'authorization')
  return authorization.replace('Bearer ', '')
}

/** The key set, as whoever starts from the metadata finds it. */
async function readKeys() {
  const metadata = (await world.get('/.well-known/openid-configuration')).json<{ jwks_uri: string }>()
  const answer = await world.get(new URL(metadata.jwks_uri).pathname)
  const kids = answer.json<{ keys: { kid: string }[] }>().keys.map(({ kid }) => kid)
  return { answer, text: answer.text(), kids }
}

const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString()).kid

describe('a minted token', () => {
  it.each<[string, JwtVerifier]>([
    ['node:crypto alone', verifyByHand],
    ['Python’s cryptography', verifyInPython],
  ])('is verified by %s, from the metadata', async (_who, verify) => {
    const token = await tokenOf(await world.signIn())
    const { answer, text } = await readKeys()
    expect(answer.headers).toMatchObject({
      'content-type': expect.stringMatching(/^application\/jwk-set\+json/),
      'cache-control': 'public, max-age=300',
    })
    expect(verify(token, text)).toBe(true)
    expect(verify(tampered(token), text)).toBe(false)
  })

  it.each(['PyJWT', 'Authlib'] as const)(
    'is verified by %s, which is told the issuer and the audience alone',
    async (library) => {
      const token = await tokenOf(await world.signIn())
      const { origin: issuer, provider } = world
      const given = { issuer, audience: provider.audience, token }
      expect(await verifyByMetadata(library, given)).toMatchObject({
        iss: issuer,
        sub: 'alice',
        name: 'Alice',
      })
      await expect(verifyByMetadata(library, { ...given, token: tampered(token) })).rejects.toThrow(
        /signature/i,
      )
      await expect(verifyByMetadata(library, { ...given, audience: 'another' })).rejects.toThrow(/aud/i)
    },
  )

  it.each(documented().filter(({ path }) => path === '/keys' || path.startsWith('/.well-known/')))(
    'has what docs/openapi.yaml says of $method $path',
    async ({ method, path, content }) => {
      const answer = await world.get(path.replace('{resource}', 'minted'), {}, method)
      expect(answer.status).toBe(200)
      const [[type, { schema } = {}] = []] = Object.entries(content)
      if (method === 'HEAD' || type === undefined || schema === undefined) return
      expect(answer.headers['content-type']).toContain(type)
      expect(schemaFault(schema, answer.json())).toBeUndefined()
    },
  )

  it('is signed by the first key of the file as it is now, and the public halves of all are published', async () => {
    const cookie = await world.signIn()
    const before = await tokenOf(cookie)
    const old = await readKeys()
    // Known first, then it signs, then the old one goes.
    await replaceKeys(first, second)
    const announced = await readKeys()
    expect(announced.kids).toHaveLength(2)
    expect(announced.kids[0]).toBe(old.kids[0])
    world.pass(61_000)
    expect(kidOf(await tokenOf(cookie))).toBe(kidOf(before))
    await replaceKeys(second, first)
    world.pass(61_000)
    const after = await tokenOf(cookie)
    expect(kidOf(after)).toBe(announced.kids[1])
    const { text } = await readKeys()
    expect([before, after].map((token) => verifyByHand(token, text))).toEqual([true, true])
    await replaceKeys(second)
    expect((await readKeys()).kids).toEqual([kidOf(after)])
    expect((await readKeys()).text).not.toContain('"d"')
  })

  it('keeps the key that is there when the file is no longer of use', async () => {
    const { kids } = await readKeys()
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey
    await replaceKeys(rsa.export({ type: 'pkcs8', format: 'pem' }).toString())
    expect((await readKeys()).kids).toEqual(kids)
    expect(kidOf(await tokenOf(await world.signIn()))).toBe(kids[0])
  })
})
