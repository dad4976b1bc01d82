import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { faultsOf, load } from '../fixtures.ts'

const pem = (type: 'ec' | 'rsa' | 'rsa-pss', options: object) =>
  generateKeyPairSync(type as 'rsa', options as { modulusLength: number })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString()
const key = pem('ec', { namedCurve: 'P-256' })
const none = { CLIENT_SECRET: '' }

describe('CLIENT_SECRET', () => {
  it.each([
    ['a key', { CLIENT_KEY: key }],
    ['an assertion of the platform', { CLIENT_ASSERTION_FILE: '/run/token' }],
    ['nothing, as a public client', { CLIENT_AUTHENTICATION: 'none' }],
  ])('is not needed with %s', (_name, env) => {
    expect(faultsOf({ ...none, ...env })).toEqual([])
  })

  it.each([
    [{}, 'CLIENT_SECRET', 'is missing (or set CLIENT_KEY'],
    [
      { CLIENT_AUTHENTICATION: 'client_secret_basic', CLIENT_KEY: key },
      'CLIENT_SECRET',
      'client_secret_basic needs',
    ],
    [{ CLIENT_AUTHENTICATION: 'private_key_jwt' }, 'CLIENT_KEY', 'private_key_jwt needs'],
    [{ CLIENT_AUTHENTICATION: 'assertion' }, 'CLIENT_ASSERTION_FILE', 'assertion needs'],
    [{ CLIENT_AUTHENTICATION: 'tls_client_auth' }, 'CLIENT_CERTIFICATE', 'tls_client_auth needs'],
  ])('or what stands in for it is missed by name: %j', (env, name, problem) => {
    expect(faultsOf({ ...none, ...env })).toEqual([
      expect.objectContaining({ name, problem: expect.stringContaining(problem) }),
    ])
  })
})

it('REQUEST_OBJECT=signed needs CLIENT_KEY', () => {
  expect(faultsOf({ REQUEST_OBJECT: 'signed' })).toEqual([
    expect.objectContaining({
      name: 'CLIENT_KEY',
      problem: expect.stringContaining('REQUEST_OBJECT=signed'),
    }),
  ])
})

it('a weak or broken CLIENT_KEY refuses to start, without being shown', () => {
  for (const text of [pem('rsa', { modulusLength: 1_024 }), key.replace(/\n.{9}/, '\n')]) {
    const [fault] = faultsOf({ CLIENT_KEY: text })
    expect(fault?.name).toBe('CLIENT_KEY')
    expect(JSON.stringify(fault)).not.toContain(text.slice(40, 60))
  }
})

it('a CLIENT_KEY that is for RSA-PSS alone, which no JWK can describe, is refused by name', () => {
  expect(faultsOf({ CLIENT_KEY: pem('rsa-pss', { modulusLength: 2_048 }) })).toEqual([
    expect.objectContaining({ name: 'CLIENT_KEY', problem: expect.stringContaining('rsa-pss') }),
  ])
})

it('a certificate whose chain is broken refuses to start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'coatcheck-chain-'))
  const keyPath = join(folder, 'key.pem')
  writeFileSync(keyPath, key)
  const request = ['req', '-x509', '-days', '2', '-subj', '/CN=gateway', '-key', keyPath]
  const certificate = execFileSync('openssl', request, { stdio: 'pipe' }).toString()
  rmSync(folder, { recursive: true })
  const broken = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
  expect(faultsOf({ CLIENT_CERTIFICATE: certificate, CLIENT_CERTIFICATE_KEY: key })).toEqual([])
  expect(faultsOf({ CLIENT_CERTIFICATE: certificate + broken, CLIENT_CERTIFICATE_KEY: key })).toEqual([
    expect.objectContaining({ name: 'CLIENT_CERTIFICATE' }),
  ])
})

it('a certificate and a key that are no pair refuse to start', () => {
  const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----'
  expect(faultsOf({ CLIENT_CERTIFICATE: certificate })[0]?.problem).toContain('belong together')
  expect(faultsOf({ CLIENT_CERTIFICATE: certificate, CLIENT_CERTIFICATE_KEY: key })[0]?.problem).toContain(
    'not the certificate',
  )
})

it('remembers the files that settings came from, so that they can be read again', () => {
  const files = { '/run/client-key': key }
  expect(load({ ...none, CLIENT_KEY_FILE: '/run/client-key' }, files).settingFiles).toEqual({
    CLIENT_KEY: '/run/client-key',
  })
})
