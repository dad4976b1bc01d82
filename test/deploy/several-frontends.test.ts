import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadHouse } from '../../src/config/frontends/load-house.ts'
import { exchange } from '../support/exchange.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { fronts } from '../support/fronts/fronts.ts'
import {
  type FrontendName,
  frontendNames,
  frontendUrls,
  startHouse,
  type TestHouse,
} from '../support/worlds/house.ts'

const serverNames = ['shop.example.test', 'internal.example.test'] as const

let house: TestHouse
let certificates: Certificates
beforeAll(async () => {
  house = await startHouse({ env: { TRUST_PROXY: '127.0.0.1' } })
  certificates = await makeCertificates(serverNames.map((name) => `DNS:${name}`).join(','))
})
afterAll(async () => {
  await certificates.remove()
  await house.stop()
})

describe.each(fronts)('$name with two hosts', ({ isLeftOut, start }) => {
  let front: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    if (!isLeftOut) front = await start({ certificates, gatewayPort: house.port, serverNames })
  })
  afterAll(() => front?.stop())

  const ask = (name: FrontendName, path: string, headers: Readonly<Record<string, string>> = {}) => {
    const base = new URL(frontendUrls[name])
    const prefix = base.pathname === '/' ? '' : base.pathname
    const address = { host: '127.0.0.1', port: front.port, ca: certificates.ca }
    return exchange({ method: 'GET', url: new URL(`${prefix}${path}`, base), address, headers })
  }

  it.skipIf(isLeftOut).each(frontendNames)('leads to %s, which signs in and calls its API', async (name) => {
    const begun = await ask(name, '/login')
    expect(begun.status).toBe(303)
    const provider = house.providers[name]
    const authorization = new URL(begun.headers.location ?? '')
    expect(authorization.origin).toBe(new URL(provider.issuer).origin)
    expect(authorization.searchParams.get('redirect_uri')).toBe(
      `${frontendUrls[name].replace(/\/$/, '')}/callback`,
    )
    const cookie = begun.setCookies.map((each) => each.split(';', 1)[0]).join('; ')
    const done = await ask(name, `/callback?${provider.approve(authorization)}`, { cookie })
    const session = done.setCookies.find((each) => !/-login-/.test(each))?.split(';', 1)[0] ?? ''
    const headers = { cookie: session, 'sec-fetch-site': 'same-origin' }
    expect((await ask(name, '/api/x', headers)).status).toBe(200)
  })

  it.skipIf(isLeftOut)('believes no X-Forwarded-Host of a browser', async () => {
    const headers = { 'x-forwarded-host': 'internal.example.test', 'sec-fetch-site': 'same-origin' }
    expect((await ask('shop', '/session', headers)).json()).toMatchObject({ loginUrl: '/login' })
  })

  it.skipIf(isLeftOut)('hides the probes of the process', async () => {
    expect((await ask('shop', '/readyz')).status).toBe(404)
  })
})

describe('Kubernetes with two hosts', () => {
  const read = (path: string) => parse(readFileSync(new URL(`../../deploy/${path}`, import.meta.url), 'utf8'))

  it('routes the hosts of the documented frontends file, which stands where the Secret is mounted', () => {
    const { patches } = read('kubernetes/frontends/kustomization.yaml') as {
      patches: { target: { kind: string; name: string }; patch: string }[]
    }
    const patchOf = (kind: string) => parse(patches.find((one) => one.target.kind === kind)?.patch ?? '')
    const [{ value: hostnames }] = patchOf('HTTPRoute') as [{ value: string[] }]
    const changes = patchOf('ConfigMap').data as Record<string, string | null>
    const data = { ...read('kubernetes/configmap.yaml').data, ...changes } as Record<string, string | null>
    const env = Object.fromEntries(
      Object.entries(data).flatMap(([name, text]) => (text === null ? [] : [[name, text]])),
    )
    expect(env.FRONTENDS_FILE).toMatch(/^\/var\/run\/secrets\/coatcheck\//)
    const documented = readFileSync(new URL('../../docs/several-frontends.md', import.meta.url), 'utf8')
    const file = /```yaml\n(# yaml-language-server[\s\S]*?)```/.exec(documented)?.[1] ?? ''
    const { frontends } = loadHouse(
      { ...env, DESK_SECRET: 'a-secret-of-at-least-32-characters-for-tests' },
      {
        readFile: (path) =>
          path === env.FRONTENDS_FILE ? file : 'a-secret-of-at-least-32-characters-for-tests',
      },
    )
    expect(frontends.map(({ config }) => config.baseUrl.host)).toEqual(hostnames)
  })
})
