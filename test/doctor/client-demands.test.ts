import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { findingOf } from './clinic/clinic.ts'
import { openScriptedClinic, type ScriptedClinic } from './clinic/scripted-clinic.ts'

let clinic: ScriptedClinic
const folder = mkdtempSync(join(tmpdir(), 'coatcheck-demands-'))
const file = (name: string) => join(folder, name)

beforeAll(async () => {
  clinic = await openScriptedClinic()
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const out = ['-keyout', file('key.pem'), '-out', file('cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-days', '2', '-subj', '/CN=gateway', ...newKey, ...out], {
    stdio: 'pipe',
  })
})
beforeEach(() => clinic.heal())
afterAll(async () => {
  await clinic.stop()
  rmSync(folder, { recursive: true })
})

type Env = Readonly<Record<string, string | undefined>>

const pem = ({ privateKey }: ReturnType<typeof generateKeyPairSync>) =>
  `${privateKey.export({ format: 'pem', type: 'pkcs8' })}`
const key: Env = {
  CLIENT_KEY: pem(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  CLIENT_SECRET: undefined,
}
const certificate = (): Env => ({
  CLIENT_CERTIFICATE: readFileSync(file('cert.pem'), 'utf8'),
  CLIENT_CERTIFICATE_KEY: readFileSync(file('key.pem'), 'utf8'),
  CLIENT_SECRET: undefined,
})
const bound = (): Env => ({
  ...certificate(),
  TOKEN_BINDING: 'mtls',
  CLIENT_AUTHENTICATION: 'tls_client_auth',
  API_URL: 'https://127.0.0.1:9',
})
const jarm: Env = { RESPONSE_MODE: 'jwt' }
const methods = (...names: string[]) => ({ token_endpoint_auth_methods_supported: names })
const modes = (...names: string[]) => ({ response_modes_supported: names })
const ES = ['ES256']
const RS = ['RS256']

type Members = Readonly<Record<string, unknown>>
type Found = 'fail' | 'warn'

const rows: readonly (readonly [string, Members, Env | (() => Env), Found, string])[] = [
  ['a secret where a key is wanted', methods('private_key_jwt'), {}, 'fail', 'CLIENT_KEY_FILE'],
  ['a secret where only its MAC is taken', methods('client_secret_jwt'), {}, 'fail', 'CLIENT_AUTHENTICATION'],
  [
    'a secret where a certificate is wanted',
    methods('tls_client_auth'),
    {},
    'fail',
    'CLIENT_CERTIFICATE_FILE',
  ],
  ['a key where a secret is wanted', methods('client_secret_basic'), key, 'fail', 'CLIENT_AUTHENTICATION'],
  [
    'the other way of a secret',
    methods('client_secret_basic'),
    { CLIENT_AUTHENTICATION: 'client_secret_post' },
    'warn',
    'CLIENT_AUTHENTICATION=auto',
  ],
  [
    'the other kind of certificate',
    methods('self_signed_tls_client_auth'),
    () => ({ ...certificate(), CLIENT_AUTHENTICATION: 'tls_client_auth' }),
    'fail',
    'CLIENT_AUTHENTICATION',
  ],
  [
    'a key that signs otherwise',
    { ...methods('private_key_jwt'), token_endpoint_auth_signing_alg_values_supported: RS },
    key,
    'fail',
    'coatcheck client-key',
  ],
  ['plain requests', { require_signed_request_object: true }, key, 'fail', 'REQUEST_OBJECT=signed'],
  [
    'requests signed otherwise',
    { request_object_signing_alg_values_supported: RS },
    { ...key, REQUEST_OBJECT: 'signed' },
    'fail',
    'coatcheck client-key',
  ],
  [
    'signed requests in the address',
    { request_parameter_supported: false },
    { ...key, REQUEST_OBJECT: 'signed' },
    'fail',
    'PUSHED_AUTHORIZATION_REQUESTS=on',
  ],
  ['signed responses', modes('query', 'form_post'), jarm, 'fail', 'RESPONSE_MODE'],
  ['posted responses', modes('query', 'jwt'), { RESPONSE_MODE: 'form_post' }, 'fail', 'RESPONSE_MODE'],
  ['responses in the query', modes('query.jwt', 'jwt'), {}, 'fail', 'RESPONSE_MODE'],
  ['modes that nobody announces', {}, { RESPONSE_MODE: 'form_post' }, 'warn', 'RESPONSE_MODE=query'],
  [
    'responses signed otherwise',
    { ...modes('jwt'), authorization_signing_alg_values_supported: ES },
    jarm,
    'fail',
    'ID_TOKEN_ALGORITHM',
  ],
  [
    'responses signed with the secret',
    { ...modes('jwt'), authorization_signing_alg_values_supported: ['HS256'] },
    jarm,
    'fail',
    'ID_TOKEN_ALGORITHM',
  ],
  [
    'tokens bound to a certificate',
    { tls_client_certificate_bound_access_tokens: false },
    bound,
    'fail',
    'TOKEN_BINDING',
  ],
  ['the same, unannounced', {}, bound, 'warn', 'TOKEN_BINDING'],
  [
    'proofs signed otherwise',
    { dpop_signing_alg_values_supported: RS },
    { TOKEN_BINDING: 'dpop' },
    'fail',
    'TOKEN_BINDING',
  ],
]

async function examine(members: Members, env: Env | (() => Env)) {
  const known = clinic.provider.faults.discovery
  clinic.provider.faults.discovery = (metadata) => ({ ...(known?.(metadata) as object), ...members })
  const report = await clinic.examine(typeof env === 'function' ? env() : env)
  return report.checks.filter(({ check }) => check === 'discovery.client' || check === 'discovery.par')
}

it.each(rows)('doctor names %s, and the setting', async (_what, members, env, status, setting) => {
  const found = (await examine(members, env)).filter((one) => one.status !== 'pass')
  expect(found.map((one) => [one.check, one.status])).toEqual([['discovery.client', status]])
  expect(found[0]?.fix).toContain(setting)
})

it.each<readonly [string, Members, Env | (() => Env)]>([
  ['a secret', methods('client_secret_post', 'private_key_jwt'), {}],
  ['a secret that is to be found out', methods('client_secret_basic'), { CLIENT_AUTHENTICATION: 'auto' }],
  [
    'a key, signed requests and signed responses',
    {
      ...methods('private_key_jwt'),
      ...modes('query.jwt'),
      token_endpoint_auth_signing_alg_values_supported: ES,
      request_object_signing_alg_values_supported: ES,
      require_signed_request_object: true,
      authorization_signing_alg_values_supported: ['RS256', 'ES256'],
    },
    { ...key, ...jarm, REQUEST_OBJECT: 'signed' },
  ],
  [
    'an algorithm of the operator',
    { ...modes('jwt'), authorization_signing_alg_values_supported: ['RS512'] },
    { ...jarm, ID_TOKEN_ALGORITHM: 'RS256,RS512' },
  ],
  [
    'a certificate beside a key that it takes the place of',
    { ...methods('tls_client_auth'), token_endpoint_auth_signing_alg_values_supported: RS },
    () => ({ ...key, ...certificate() }),
  ],
  [
    'bound tokens',
    { ...methods('tls_client_auth'), tls_client_certificate_bound_access_tokens: true },
    bound,
  ],
  ['proofs', { dpop_signing_alg_values_supported: ['ES256'] }, { TOKEN_BINDING: 'dpop' }],
  ['posted responses', modes('query', 'form_post'), { RESPONSE_MODE: 'form_post' }],
  [
    'an assertion of the platform',
    methods('private_key_jwt'),
    { CLIENT_SECRET: undefined, CLIENT_ASSERTION_FILE: file('key.pem') },
  ],
])('doctor finds nothing wrong with what is announced: %s', async (_what, members, env) => {
  const statuses = (await examine(members, env)).map((one) => one.status)
  expect(statuses.length).toBeGreaterThanOrEqual(2)
  expect(new Set(statuses)).toEqual(new Set(['pass']))
})

it('doctor names an assertion of the platform that is not there, and blames no endpoint', async () => {
  const env = { CLIENT_SECRET: undefined, CLIENT_ASSERTION_FILE: file('nothing') }
  const found = findingOf(await clinic.examine(env), 'client-authentication')
  expect(found).toMatchObject({
    status: 'fail',
    summary: expect.stringMatching(/^CLIENT_ASSERTION_FILE cannot be read/),
  })
})

it('doctor names plain parameters where only pushed ones are taken', async () => {
  const members = {
    require_pushed_authorization_requests: true,
    pushed_authorization_request_endpoint: `${clinic.provider.issuer}/par`,
  }
  const statusOf = async (env: Env) => (await examine(members, env))[0]
  expect(await statusOf({ PUSHED_AUTHORIZATION_REQUESTS: 'off' })).toMatchObject({
    check: 'discovery.par',
    status: 'fail',
    fix: expect.stringContaining('PUSHED_AUTHORIZATION_REQUESTS'),
  })
  expect((await statusOf({}))?.status).toBe('pass')
  expect(await statusOf({ PUSHED_AUTHORIZATION_REQUESTS: 'on' })).toMatchObject({ status: 'pass' })
})
