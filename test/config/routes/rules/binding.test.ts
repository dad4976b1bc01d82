import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { faultsOf, load } from '../../fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-binding-'))
const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
execFileSync('openssl', ['req', '-x509', '-days', '2', '-subj', '/CN=x', ...newKey, '-out', certificate], {
  stdio: 'pipe',
})
const pair = {
  CLIENT_CERTIFICATE: readFileSync(certificate, 'utf8'),
  CLIENT_CERTIFICATE_KEY: readFileSync(key, 'utf8'),
}
const routes = '/etc/coatcheck/routes.yaml'
afterAll(() => rmSync(folder, { recursive: true }))

function problemsOf(binding: string, keys: string, more: Readonly<Record<string, string>> = pair): string {
  const env = { API_URL: '', ROUTES_FILE: routes, TOKEN_BINDING: binding, ...more }
  const faults = faultsOf(env, {
    [routes]: `routes:\n  - {prefix: /a, ${keys}}`,
    '/etc/coatcheck/cert.pem': pair.CLIENT_CERTIFICATE,
    '/etc/coatcheck/key.pem': pair.CLIENT_CERTIFICATE_KEY,
  })
  return faults.map(({ name, problem }) => `${name} ${problem}`).join('\n')
}

const secure = 'upstream: https://a'

describe('tokens that are bound to us', () => {
  it.each([
    ['dpop', 'upstream: http://a'],
    ['dpop', 'upstream: http://a, callers: [session, bearer], token: exchange'],
    ['dpop', 'upstream: http://a, callers: [bearer], token: client'],
    ['dpop', 'upstream: external, proofUrl: https://api.example.com/v1'],
    ['dpop', 'upstream: external, auth: none'],
    ['dpop', 'upstream: external, token: gateway, callers: [session]'],
    ['mtls', secure],
    ['mtls', 'upstream: http://a, auth: none'],
    ['mtls', 'upstream: http://a, token: client'],
    ['none', 'upstream: external, callers: [session, bearer]'],
  ])('may be %s with a route that says %s', (binding, keys) => {
    expect(problemsOf(binding, keys).replace(/^GATEWAY_KEY.*$/m, '')).toBe('')
  })

  it.each([
    ['dpop', 'upstream: http://a, callers: [session, bearer]', 'dpop: /a lets callers'],
    ['mtls', `${secure}, callers: [bearer]`, 'mtls: /a lets callers'],
    ['mtls', 'upstream: external', 'mtls: /a is carried by another proxy'],
    ['mtls', 'upstream: http://a', 'mtls: /a leads to http'],
    ['mtls', 'upstream: http://a, token: exchange', 'mtls: /a leads to http'],
    [
      'mtls',
      `${secure}, tls: {certificateFile: cert.pem, keyFile: key.pem}`,
      'mtls: /a shows its API another',
    ],
    ['dpop', 'upstream: external', 'proofUrl'],
  ])('cannot be %s with a route that says %s', (binding, keys, problem) => {
    expect(problemsOf(binding, keys)).toMatch(/^TOKEN_BINDING cannot be /)
    expect(problemsOf(binding, keys)).toContain(problem)
  })

  it('need a certificate to be bound to one, and no other one for APIs', () => {
    expect(problemsOf('mtls', secure, {})).toContain('CLIENT_CERTIFICATE is missing')
    const upstream = {
      UPSTREAM_CERTIFICATE: pair.CLIENT_CERTIFICATE,
      UPSTREAM_KEY: pair.CLIENT_CERTIFICATE_KEY,
    }
    expect(problemsOf('mtls', secure, { ...pair, ...upstream })).toContain(
      'shows its API another certificate',
    )
  })

  it('are none unless it is said', () => {
    expect(load().tokenBinding).toBe('none')
    expect(load().routes[0]).not.toHaveProperty('proofUrl')
  })
})
