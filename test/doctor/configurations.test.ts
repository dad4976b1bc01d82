import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import { examine } from '../../src/doctor/examine.ts'
import { startTunnelProxy, type TunnelProxy } from '../network/support.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { freePort } from '../support/ports.ts'
import { type FapiProvider, fapiAudience, fapiClient } from '../support/provider/fapi-provider.ts'
import {
  type Around,
  type Configuration,
  clientSecret,
  configurations,
  optionsOf,
  startConfigured,
} from '../support/provider/provider-configurations.ts'
import { findingOf, troubles } from './clinic/clinic.ts'

let authority: Certificates
let proxy: TunnelProxy
let around: Around
let current: FapiProvider | undefined
const ends: (() => unknown)[] = []
/** What the API saw: a token, and the caller's certificate. */
const calls: { readonly hasToken: boolean; readonly hasCertificate: boolean }[] = []
let api: Server
let apiUrl = ''

beforeAll(async () => {
  authority = await makeCertificates('DNS:localhost,IP:127.0.0.1,DNS:login.test')
  proxy = await startTunnelProxy(() => Number(new URL(current?.issuer ?? '').port))
  around = { authority, proxyUrl: proxy.url }
  const tls = { cert: readFileSync(authority.certificateFile), key: readFileSync(authority.keyFile) }
  api = createServer(
    { ...tls, requestCert: true, rejectUnauthorized: false },
    ({ headers, socket }, response) => {
      const hasToken = headers.authorization !== undefined
      const hasCertificate = (socket as TLSSocket).getPeerCertificate().raw !== undefined
      calls.push({ hasToken, hasCertificate })
      response.writeHead(hasToken ? 200 : 401).end()
    },
  )
  await once(api.listen(0, '127.0.0.1'), 'listening')
  apiUrl = `https://localhost:${(api.address() as AddressInfo).port}`
})
afterAll(async () => {
  for (const end of ends) await end()
  await proxy.stop()
  api.closeAllConnections()
  api.close()
  await authority.remove()
})

/** As a person in a browser: to the provider, and back with what it answers. */
async function goThrough(
  start: string,
  fapi: FapiProvider,
  { meanwhile, options }: Configuration,
): Promise<void> {
  const begun = await fetch(start, { redirect: 'manual' })
  const callback = await fapi.approve(new URL(begun.headers.get('location') ?? ''))
  meanwhile?.(fapi)
  const isPosted = options?.(fapi, around).responseMode === 'form_post'
  const { origin, pathname, search } = callback
  await (isPosted
    ? fetch(`${origin}${pathname}`, { method: 'POST', body: new URLSearchParams(search) })
    : fetch(callback))
}

interface Ailment {
  readonly env?: Readonly<Record<string, string>>
  readonly options?: object
  readonly login?: boolean
}

/** Doctor's look at a gateway of this configuration. */
async function examineConfigured(configuration: Configuration, ailment: Ailment = {}) {
  const port = await freePort()
  const baseUrl = `http://127.0.0.1:${port}`
  const fapi = await startConfigured(configuration, around, baseUrl)
  current = fapi
  ends.push(fapi.stop)
  calls.length = 0
  const env = {
    ISSUER_URL: fapi.issuer,
    CLIENT_ID: fapiClient.id,
    CLIENT_SECRET: clientSecret,
    API_AUDIENCE: fapiAudience,
    AUDIENCE_PARAMETER: 'none',
    API_URL: apiUrl,
    UPSTREAM_CA: authority.ca,
    BASE_URL: baseUrl,
    PORT: `${port}`,
    SCOPE: 'openid profile offline_access',
    USER_CLAIMS: 'sub,name',
    AUTHORIZATION_PARAMETERS: 'prompt=consent',
    SESSION_SECRET: 'session-secret-of-many-configurations-0123456789',
    ...ailment.env,
  }
  const options = { ...optionsOf(configuration, fapi, around), ...ailment.options }
  const desk = { announce: (url: string) => void goThrough(url, fapi, configuration), waitMs: 10_000 }
  return examine({
    env,
    load: () => Object.assign({ ...loadConfig(env) }, options),
    version: '0.0.0',
    now: Date.now,
    desk: ailment.login === false ? undefined : desk,
    begin: () => undefined,
    tell: () => undefined,
  })
}

const sound = ['discovery', 'discovery.keys', 'discovery.client', 'client', 'redirect-uri', 'refresh-grant']
const ofLogin = ['login', 'refresh-token', 'upstream.token']
const usual = 'warn session-store'

describe('doctor at a real provider with', () => {
  it.each(Object.entries(configurations))(
    '%s: a login passes, and nothing fails',
    async (_name, configuration) => {
      const report = await examineConfigured(configuration)
      expect(troubles(report)).toEqual([usual, ...(configuration.troubles ?? [])])
      for (const check of [...sound, ...ofLogin])
        expect([check, findingOf(report, check).status]).toEqual([check, 'pass'])
    },
  )

  it.each(Object.entries(configurations).filter(([, { client }]) => 'backchannel_logout_uri' in client))(
    '%s: a wrong secret fails, and nothing else',
    async (_name, configuration) => {
      const options = { clientSecret: 'not-the-secret-of-anybody-0123456789' }
      const report = await examineConfigured(configuration, { options, login: false })
      const failed = troubles(report).filter((one) => one.startsWith('fail '))
      expect(failed).toEqual(configuration.findsWrongSecret ?? ['fail client-secret'])
    },
  )

  const bound = configurations['a certificate to which tokens are bound, at addresses of its own']
  const slow = configurations['slow answers, within the time that they may take']
  if (bound === undefined || slow === undefined) throw new Error('no such configurations')

  it('a certificate: it is shown to the API too, and the addresses for it are named', async () => {
    const report = await examineConfigured(bound)
    expect(calls).toContainEqual({ hasToken: true, hasCertificate: true })
    expect(calls.every(({ hasCertificate }) => hasCertificate)).toBe(true)
    const places = report.checks.filter(({ check }) => check === 'discovery.client')
    expect(places.map(({ summary }) => summary).join()).toMatch(
      /mtls_endpoint_aliases.*https:\/\/127\.0\.0\.1:\d+\/token/,
    )
    expect(findingOf(report, 'client-authentication').summary).toContain('CLIENT_CERTIFICATE')
  })

  it('a certificate that it does not know, or to which it binds nothing: that fails', async () => {
    const mTLS = { ...Object(bound.features).mTLS, certificateSubjectMatches: () => false }
    const unknown = await examineConfigured({ ...bound, features: { mTLS } }, { login: false })
    expect(findingOf(unknown, 'client-authentication')).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('CLIENT_CERTIFICATE'),
    })
    const client = { ...bound.client, tls_client_certificate_bound_access_tokens: false }
    const unbound = await examineConfigured({ ...bound, client })
    expect(findingOf(unbound, 'login')).toMatchObject({
      status: 'fail',
      fix: expect.stringContaining('bind'),
    })
  })

  it('answers that are slower than PROVIDER_TIMEOUT: they are named as that, and the secret is not blamed', async () => {
    const report = await examineConfigured(slow, { options: { providerTimeout: 0.1 }, login: false })
    const failed = report.checks.filter(({ status }) => status === 'fail')
    expect(failed.map(({ check }) => check)).toEqual(['client-secret'])
    expect(failed[0]).toMatchObject({
      summary: expect.stringContaining('does not answer'),
      fix: expect.stringContaining('PROVIDER_TIMEOUT'),
    })
    expect(JSON.stringify(report)).not.toContain('Correct CLIENT_SECRET')
  })
})
