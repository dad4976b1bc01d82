import { generateKeyPairSync } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findingOf, troubles } from './clinic/clinic.ts'
import { isIssued, openScriptedClinic, type ScriptedClinic } from './clinic/scripted-clinic.ts'

// As Keycloak and Hydra do with "Use JWKS URL" and `jwks_uri`: an assertion is believed once its key was seen at the client's own address.
let clinic: ScriptedClinic
beforeAll(async () => {
  clinic = await openScriptedClinic({ path: '/realms/shop' })
})
beforeEach(() => {
  clinic.heal()
  clinic.provider.faults.token = (answer, form) => ({
    send: (response) => void answerBelieved(response, answer, form),
  })
})
afterAll(() => clinic.stop())

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = {
  CLIENT_SECRET: undefined,
  CLIENT_KEY: `${privateKey.export({ format: 'pem', type: 'pkcs8' })}`,
}

async function answerBelieved(
  response: ServerResponse,
  answer: Record<string, unknown>,
  form: URLSearchParams,
): Promise<void> {
  const say = (status: number, body: unknown): unknown =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  try {
    const published = await fetch(`${clinic.env.BASE_URL}/client-keys`)
    const keys = createLocalJWKSet((await published.json()) as JSONWebKeySet)
    await jwtVerify(form.get('client_assertion') ?? '', keys)
  } catch (error) {
    return void say(401, { error: 'invalid_client', error_description: `no public keys: ${String(error)}` })
  }
  if (isIssued(answer, form)) say(200, answer)
  else say(400, { error: 'invalid_grant' })
}

describe('with the gateway stopped', () => {
  it('doctor publishes the keys of the client itself, for a provider that looks for them there', async () => {
    const report = await clinic.examine(key, true)
    expect(findingOf(report, 'client-authentication')).toMatchObject({ status: 'pass' })
    expect(findingOf(report, 'login')).toMatchObject({ status: 'pass' })
    expect(findingOf(report, 'base-url')).toMatchObject({ status: 'pass' })
    expect(troubles(report).filter((line) => line.startsWith('fail'))).toEqual([])
  })

  it('doctor gives the place back', async () => {
    await clinic.examine(key)
    await expect(fetch(`${clinic.env.BASE_URL}/client-keys`)).rejects.toThrow()
  })
})

it('a key that is not believed is to be registered, and nobody is sent to a secret', async () => {
  const taken = createServer((_request, response) => response.writeHead(404).end())
  await new Promise<void>((resolve) => taken.listen(Number(clinic.env.PORT), '127.0.0.1', resolve))
  try {
    const { status, fix } = findingOf(await clinic.examine(key), 'client-authentication')
    expect({ status, fix }).toEqual({ status: 'fail', fix: expect.stringContaining('BASE_URL/client-keys') })
    expect(fix).not.toMatch(/secret/)
  } finally {
    await new Promise((resolve) => taken.close(resolve))
  }
})

it('a key of an algorithm that Keycloak has not signed with yet is only warned of', async () => {
  clinic.heal()
  const known = clinic.provider.faults.discovery
  clinic.provider.faults.discovery = (metadata) => ({
    ...(known?.(metadata) as object),
    id_token_signing_alg_values_supported: ['RS256', 'PS256'],
  })
  const found = findingOf(await clinic.examine({ ID_TOKEN_ALGORITHM: 'PS256' }), 'discovery.keys')
  expect(found).toMatchObject({
    status: 'warn',
    summary: expect.stringContaining('publishes no key'),
    fix: expect.stringContaining('Realm settings → Keys'),
  })
})
