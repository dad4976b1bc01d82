import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Provider } from '../../../src/oidc/provider/provider.ts'
import { createNonceMemory } from '../../../src/signing/nonces.ts'
import { startTunnelProxy, type TunnelProxy } from '../../network/support.ts'
import { type Certificates, makeCertificates } from '../../support/fronts/certificates.ts'
import { openFapi, signIn } from '../../support/provider/fapi-login.ts'
import { type FapiProvider, fapiAudience } from '../../support/provider/fapi-provider.ts'
import {
  type Around,
  type Configuration,
  configurations,
  optionsOf,
  startConfigured,
} from '../../support/provider/provider-configurations.ts'

const audience = {
  key: 'api',
  value: undefined,
  parameter: 'none',
  accepted: [fapiAudience],
  scope: undefined,
} as const

const running: FapiProvider[] = []
const opened: Provider[] = []
let authority: Certificates
let proxy: TunnelProxy
let around: Around

beforeAll(async () => {
  authority = await makeCertificates('DNS:localhost,IP:127.0.0.1,DNS:login.test')
  proxy = await startTunnelProxy(() => Number(new URL(running.at(-1)?.issuer ?? '').port))
  around = { authority, proxyUrl: proxy.url }
})
afterAll(async () => {
  for (const provider of opened) await provider.close()
  for (const fapi of running) await fapi.stop()
  await proxy.stop()
  await authority.remove()
})

async function open(configuration: Configuration) {
  const fapi = await startConfigured(configuration, around)
  running.push(fapi)
  const provider = openFapi(fapi, optionsOf(configuration, fapi, around), { nonces: createNonceMemory() })
  opened.push(provider)
  return { fapi, provider }
}

describe('a real provider with', () => {
  it.each(Object.entries(configurations))(
    '%s: sign in, refresh twice, sign out',
    async (_name, configuration) => {
      const { fapi, provider } = await open(configuration)
      const { login, url } = await signIn(fapi, provider)
      configuration.check?.(login, fapi, url)
      configuration.meanwhile?.(fapi)
      expect(login.identity).toMatchObject({ issuer: fapi.issuer, subject: 'ada' })
      const { identity, binding } = login
      let idToken = login.idToken
      let refreshToken = login.refreshToken ?? ''
      for (const _turn of ['first', 'second']) {
        const outcome = await provider.refresh({ refreshToken, identity, audience, idToken, binding })
        if (outcome.kind !== 'refreshed') throw new Error(JSON.stringify(outcome))
        expect(outcome.accessToken.value).not.toBe(login.accessToken.value)
        refreshToken = outcome.refreshToken ?? refreshToken
        idToken = outcome.idToken ?? idToken
      }
      expect(await provider.revoke(refreshToken, 'logout')).toBe(true)
      const dead = await provider.refresh({ refreshToken, identity, audience, binding })
      expect(dead).toMatchObject({ kind: 'refused', error: 'invalid_grant' })
      const end = provider.endSessionUrl({ idToken, identity, state: 'state-of-the-logout' })
      expect(end?.origin).toBe(fapi.issuer)
      if (end?.protocol === 'http:') expect((await fetch(end)).status).toBe(200)
    },
  )
})
