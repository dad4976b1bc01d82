import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/oidc/provider/options.ts'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { claimsOf } from '../../support/api/proof-verifier.ts'
import { freePort } from '../../support/ports.ts'
import { openProvider } from '../../support/provider/scripted-login.ts'
import { type ScriptedProvider, startScriptedProvider } from '../../support/provider/scripted-provider.ts'

let scripted: ScriptedProvider
const opened: Provider[] = []
const folder = mkdtempSync(join(tmpdir(), 'coatcheck-pushed-'))
beforeAll(async () => {
  scripted = await startScriptedProvider()
})
beforeEach(() => {
  for (const fault of Object.keys(scripted.faults)) Reflect.deleteProperty(scripted.faults, fault)
  scripted.faults.discovery = (metadata) => ({
    ...metadata,
    pushed_authorization_request_endpoint: `${scripted.issuer}/par`,
  })
})
afterAll(async () => {
  for (const provider of opened) await provider.close()
  await scripted.stop()
  rmSync(folder, { recursive: true })
})

function open(changes: Partial<ProviderOptions> = {}): Provider {
  const provider = openProvider(scripted, { pushedAuthorizationRequests: 'on', ...changes })
  opened.push(provider)
  return provider
}

const begin = (provider: Provider) =>
  provider.beginLogin({ returnTo: '/', parameters: { login_hint: 'alice@example' }, endsSession: undefined })

/** A provider's side with a certificate of ours, and with these addresses for clients that show one. */
function openWithCertificate(
  aliases: Readonly<Record<string, string>>,
  changes: Partial<ProviderOptions> = {},
) {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
  const request = ['req', '-x509', '-days', '2', '-subj', '/CN=gateway', ...newKey, '-out', certificate]
  execFileSync('openssl', request, { stdio: 'pipe' })
  const known = scripted.faults.discovery
  scripted.faults.discovery = (metadata) => ({
    ...(known?.(metadata) as object),
    mtls_endpoint_aliases: aliases,
  })
  return open({
    clientCertificate: readFileSync(certificate, 'utf8'),
    clientCertificateKey: readFileSync(key, 'utf8'),
    ...changes,
  })
}

describe('a client that shows a certificate', () => {
  it('calls the addresses that the provider keeps for such clients (RFC 8705 section 5)', async () => {
    const provider = openWithCertificate(
      {
        token_endpoint: `${scripted.issuer}/alias/token`,
        pushed_authorization_request_endpoint: `${scripted.issuer}/alias/par`,
        userinfo_endpoint: `${scripted.issuer}/alias/userinfo`,
      },
      { userinfo: true },
    )
    const from = scripted.requests.length
    const { url, transaction } = await begin(provider)
    const query = scripted.approve(url)
    expect((await provider.completeLogin(query, transaction)).identity.subject).toBe('alice')
    const paths = scripted.requests.slice(from).map(({ path }) => path)
    expect(paths.filter((path) => /par|token|userinfo/.test(path))).toEqual([
      '/alias/par',
      '/alias/token',
      '/alias/userinfo',
    ])
  })

  it('proves its key for the public form of an address that the provider keeps for it beneath PROVIDER_ADDRESS', async () => {
    const inside = scripted.issuer.replace('127.0.0.1', 'localhost')
    scripted.faults.dpop = {}
    const provider = openWithCertificate(
      {
        token_endpoint: `${inside}/alias/token`,
        pushed_authorization_request_endpoint: `${inside}/alias/par`,
      },
      { tokenBinding: 'dpop', providerAddress: new URL(inside) },
    )
    const { url, transaction } = await begin(provider)
    const { accessToken } = await provider.completeLogin(scripted.approve(url), transaction)
    expect(claimsOf(accessToken.value).cnf).toBeDefined()
    const { path, rawHeaders } = scripted.requests.findLast(({ method }) => method === 'POST') ?? {}
    expect(path).toBe('/alias/token')
    expect(rawHeaders?.join(' ')).toContain(`x-forwarded-host ${new URL(scripted.issuer).host}`)
  })

  it.each([
    ['to a safe address, and calls it there', '/alias/token', 'safe'],
    ['to an unsafe one, and does not', '/token', 'unsafe'],
  ])('hears of one that has moved %s', async (_what, place, kind) => {
    // Where the scripted provider has nothing.
    const nowhere = '/.well-known/oauth-authorization-server'
    const aliases: { token_endpoint: string } = { token_endpoint: `${scripted.issuer}${nowhere}` }
    const provider = openWithCertificate(aliases, { pushedAuthorizationRequests: 'off' })
    const { url, transaction } = await begin(provider)
    const query = scripted.approve(url)
    aliases.token_endpoint =
      kind === 'safe' ? `${scripted.issuer}${place}` : scripted.issuer.replace('127.0.0.1', '0.0.0.0')
    const from = scripted.requests.length
    const completed = provider.completeLogin(query, transaction)
    if (kind === 'safe') expect((await completed).identity.subject).toBe('alice')
    else await expect(completed).rejects.toMatchObject({ code: expect.stringMatching(/^provider_/) })
    const asked = scripted.requests.slice(from).filter(({ method }) => method === 'POST')
    expect(asked.map(({ path }) => path)).toEqual(kind === 'safe' ? [nowhere, place] : [nowhere])
  })

  it('does not call the plain address while that of such clients cannot be reached', async () => {
    const nobody = await freePort()
    const provider = openWithCertificate({ token_endpoint: `http://127.0.0.1:${nobody}/token` })
    const { url, transaction } = await begin(provider)
    const from = scripted.requests.length
    const completed = provider.completeLogin(scripted.approve(url), transaction)
    await expect(completed).rejects.toMatchObject({ code: 'provider_unavailable' })
    expect(scripted.requests.slice(from).map(({ path }) => path)).not.toContain('/token')
  })
})
