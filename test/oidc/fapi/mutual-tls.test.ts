import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf } from '../../support/api/proof-verifier.ts'
import { type Certificates, makeCertificates } from '../../support/fronts/certificates.ts'
import { openFapi, signIn } from '../../support/provider/fapi-login.ts'
import {
  type FapiProvider,
  fapiAudience,
  peerCertificate,
  startFapiProvider,
} from '../../support/provider/fapi-provider.ts'

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-mtls-'))
let authority: Certificates

/** A certificate of its own, signed by nobody else. */
function selfSigned(name: string) {
  const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
  const request = ['req', '-x509', '-days', '2', '-subj', `/CN=${name}`, ...newKey, '-out', certificate]
  execFileSync('openssl', request, { stdio: 'pipe' })
  return { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') }
}

beforeAll(async () => {
  authority = await makeCertificates()
})
afterAll(async () => {
  await authority.remove()
  rmSync(folder, { recursive: true })
})

const subjectOf = (pem: string | undefined) =>
  pem === undefined ? '' : execFileSync('openssl', ['x509', '-noout', '-subject'], { input: pem }).toString()

/** A certificate as a client registers it: the key, and the certificate itself beside it. */
function registered(certificate: string) {
  const { publicKey, raw } = new X509Certificate(certificate)
  return { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', x5c: [raw.toString('base64')] }] }
}

function start(known: readonly string[], binds = false, client: object = {}): Promise<FapiProvider> {
  const read = (file: string) => readFileSync(file, 'utf8')
  return startFapiProvider({
    client: {
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=coatcheck',
      tls_client_certificate_bound_access_tokens: binds,
      ...client,
    },
    tls: { cert: read(authority.certificateFile), key: read(authority.keyFile), ca: authority.ca },
    features: {
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: binds,
        tlsClientAuth: true,
        selfSignedTlsClientAuth: true,
        getCertificate: peerCertificate,
        certificateAuthorized: () => true,
        certificateSubjectMatches: (ctx: Parameters<typeof peerCertificate>[0]) =>
          known.some(
            (name) =>
              subjectOf(peerCertificate(ctx)).includes(`CN = ${name}`) ||
              subjectOf(peerCertificate(ctx)).includes(`CN=${name}`),
          ),
      },
    },
  })
}

describe('mutual TLS to the provider', () => {
  it('proves the client at push, token, refresh and revocation, over real TLS with a private authority', async () => {
    const fapi = await start(['coatcheck'])
    const pair = selfSigned('coatcheck')
    const provider = openFapi(fapi, {
      providerCa: authority.ca,
      clientCertificate: pair.certificate,
      clientCertificateKey: pair.key,
    })
    try {
      const { login } = await signIn(fapi, provider)
      const audience = {
        key: 'api',
        value: undefined,
        parameter: 'none',
        accepted: [fapiAudience],
        scope: undefined,
      } as const
      const refreshToken = login.refreshToken ?? ''
      expect((await provider.refresh({ refreshToken, identity: login.identity, audience })).kind).toBe(
        'refreshed',
      )
      expect(await provider.revoke(refreshToken, 'logout')).toBe(true)
      const posts = fapi.requests.filter(({ method }) => method === 'POST')
      expect(posts.map(({ path }) => path)).toEqual(['/request', '/token', '/token', '/token/revocation'])
      expect(posts.every(({ certificate, form }) => certificate && !form.has('client_secret'))).toBe(true)
    } finally {
      await provider.close()
      await fapi.stop()
    }
  })

  it.each(['self_signed_tls_client_auth', 'auto'] as const)(
    'with a certificate that the client has registered itself, by %s, and with no other of its name',
    async (clientAuthentication) => {
      const [ours, another] = [selfSigned('coatcheck'), selfSigned('coatcheck')]
      const fapi = await start([], false, {
        token_endpoint_auth_method: 'self_signed_tls_client_auth',
        tls_client_auth_subject_dn: undefined,
        jwks: registered(ours.certificate),
      })
      const open = ({ certificate, key }: typeof ours) =>
        openFapi(fapi, {
          clientAuthentication,
          providerCa: authority.ca,
          clientCertificate: certificate,
          clientCertificateKey: key,
        })
      const [right, wrong] = [open(ours), open(another)]
      try {
        const { login } = await signIn(fapi, right)
        expect(login.identity.subject).toBe('ada')
        expect(await right.revoke(login.refreshToken ?? '', 'logout')).toBe(true)
        const posts = fapi.requests.filter(({ method }) => method === 'POST')
        expect(posts.map(({ path, status }) => [path, status])).toEqual([
          ['/request', 201],
          ['/token', 200],
          ['/token/revocation', 200],
        ])
        expect(posts.every(({ certificate, form }) => certificate && !form.has('client_secret'))).toBe(true)
        await expect(signIn(fapi, wrong)).rejects.toMatchObject({
          code: 'provider_rejected',
          context: { providerError: 'invalid_client' },
        })
      } finally {
        await right.close()
        await wrong.close()
        await fapi.stop()
      }
    },
  )

  it('gets tokens that are bound to its certificate, and keeps them so', async () => {
    const fapi = await start(['coatcheck'], true)
    const pair = selfSigned('coatcheck')
    const settings = {
      providerCa: authority.ca,
      clientCertificate: pair.certificate,
      clientCertificateKey: pair.key,
    }
    const provider = openFapi(fapi, { ...settings, tokenBinding: 'mtls' })
    try {
      const { login } = await signIn(fapi, provider)
      const { accessToken, identity, refreshToken = '', binding } = login
      expect(claimsOf(accessToken.value).cnf).toEqual({ 'x5t#S256': accessToken.boundTo })
      expect(binding).toEqual({ kind: 'mtls', certificateThumbprint: accessToken.boundTo })
      const audience = {
        key: 'api',
        value: undefined,
        parameter: 'none',
        accepted: [fapiAudience],
        scope: undefined,
      } as const
      const request = { refreshToken, identity, audience }
      const again = await provider.refresh({ ...request, binding })
      expect(again).toMatchObject({ kind: 'refreshed', accessToken: { boundTo: accessToken.boundTo } })
      expect(again).not.toHaveProperty('binding')
      // A session from before: the provider binds to what it is shown, so the record says so from now on.
      expect(await provider.refresh(request)).toMatchObject({ kind: 'refreshed', binding })
    } finally {
      await provider.close()
      await fapi.stop()
    }
  })

  it('takes up another certificate when both files have changed, and not while only one has', async () => {
    const fapi = await start(['coatcheck'])
    const [stranger, right] = [selfSigned('stranger'), selfSigned('coatcheck')]
    const files = {
      CLIENT_CERTIFICATE: join(folder, 'live.crt'),
      CLIENT_CERTIFICATE_KEY: join(folder, 'live.key'),
    }
    writeFileSync(files.CLIENT_CERTIFICATE, stranger.certificate)
    writeFileSync(files.CLIENT_CERTIFICATE_KEY, stranger.key)
    const provider = openFapi(fapi, {
      providerCa: authority.ca,
      clientCertificate: stranger.certificate,
      clientCertificateKey: stranger.key,
      settingFiles: files,
    })
    try {
      await expect(signIn(fapi, provider)).rejects.toMatchObject({ code: 'provider_rejected' })
      writeFileSync(files.CLIENT_CERTIFICATE, right.certificate)
      await expect(signIn(fapi, provider)).rejects.toMatchObject({ code: 'provider_rejected' })
      writeFileSync(files.CLIENT_CERTIFICATE_KEY, right.key)
      expect((await signIn(fapi, provider)).login.identity.subject).toBe('ada')
    } finally {
      await provider.close()
      await fapi.stop()
    }
  })
})
