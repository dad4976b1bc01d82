import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import { examine } from '../../src/doctor/examine.ts'
import { startTunnelProxy, type TunnelProxy } from '../network/support.ts'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { type FapiProvider, fapiAudience, fapiClient } from '../support/fapi-provider.ts'
import { freePort } from '../support/ports.ts'
import {
  type Around,
  type Configuration,
  clientSecret,
  configurations,
  optionsOf,
  startConfigured,
} from '../support/provider-configurations.ts'
import { findingOf, troubles } from './clinic.ts'

let authority: Certificates
let proxy: TunnelProxy
let around: Around
let current: FapiProvider | undefined
const ends: (() => unknown)[] = []
const api = createServer(({ headers }, response) => {
  response.writeHead(headers.authorization === undefined ? 401 : 200).end()
})
let apiPort = 0

beforeAll(async () => {
  authority = await makeCertificates('DNS:localhost,IP:127.0.0.1,DNS:login.test')
  proxy = await startTunnelProxy(() => Number(new URL(current?.issuer ?? '').port))
  around = { authority, proxyUrl: proxy.url }
  apiPort = await freePort()
  await new Promise<void>((resolve) => api.listen(apiPort, '127.0.0.1', resolve))
})
afterAll(async () => {
  for (const end of ends) await end()
  await proxy.stop()
  api.closeAllConnections()
  api.close()
  await authority.remove()
})

/** As a person in a browser: to the provider, and back with what it answers. */
async function goThrough(start: string, fapi: FapiProvider): Promise<void> {
  const begun = await fetch(start, { redirect: 'manual' })
  await fetch(await fapi.approve(new URL(begun.headers.get('location') ?? '')))
}

/** Doctor's look, with a login, at a gateway of this configuration. */
async function examineConfigured(configuration: Configuration) {
  const port = await freePort()
  const baseUrl = `http://127.0.0.1:${port}`
  const fapi = await startConfigured(configuration, around, baseUrl)
  current = fapi
  ends.push(fapi.stop)
  const env = {
    ISSUER_URL: fapi.issuer,
    CLIENT_ID: fapiClient.id,
    CLIENT_SECRET: clientSecret,
    API_AUDIENCE: fapiAudience,
    AUDIENCE_PARAMETER: 'none',
    API_URL: `http://127.0.0.1:${apiPort}`,
    BASE_URL: baseUrl,
    PORT: `${port}`,
    SCOPE: 'openid profile offline_access',
    USER_CLAIMS: 'sub,name',
    AUTHORIZATION_PARAMETERS: 'prompt=consent',
    SESSION_SECRET: 'session-secret-of-many-configurations-0123456789',
  }
  const report = await examine({
    env,
    load: () => Object.assign({ ...loadConfig(env) }, optionsOf(configuration, fapi, around)),
    version: '0.0.0',
    now: Date.now,
    desk: { announce: (url) => void goThrough(url, fapi), waitMs: 10_000 },
    begin: () => undefined,
    tell: () => undefined,
  })
  return { report, fapi }
}

describe('doctor at a real provider with', () => {
  it.each(Object.entries(configurations))(
    '%s: a login passes, and nothing else fails',
    async (_name, configuration) => {
      const { report } = await examineConfigured(configuration)
      console.log(
        _name,
        JSON.stringify(
          report.checks.filter(({ status }) => status !== 'pass'),
          null,
          1,
        ),
      )
      expect(troubles(report)).toEqual(['warn session-store', ...(configuration.troubles ?? [])])
      for (const check of ['discovery', 'discovery.keys', 'client', 'login', 'refresh-token'])
        expect([check, findingOf(report, check).status]).toEqual([check, 'pass'])
    },
  )
})
