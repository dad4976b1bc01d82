import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSoftwareDevice, type Sender } from '../../support/browser/software-device.ts'
import type { Answer } from '../../support/exchange.ts'
import { expectProblem } from '../../support/expect-problem.ts'
import { freePort } from '../../support/ports.ts'
import { ask, navigation, ownFetch } from '../../support/questions.ts'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

/** The rules of the scope that a registration was answered with. */
function pathsIn(registered: Answer): readonly string[] {
  const { scope } = registered.json() as { scope: { scope_specification: { type: string; path: string }[] } }
  return scope.scope_specification.map(({ type, path }) => `${type} ${path}`)
}

describe('sessions bound to devices, of a gateway beneath a path, with names of its own, beside a proxy that only asks', () => {
  const longName = '__Host-Http-desk'
  const boundName = '__Host-desk-device'
  let world: FaultWorld
  let checkPort: number
  let folder: string

  beforeAll(async () => {
    checkPort = await freePort()
    folder = await mkdtemp(join(tmpdir(), 'coatcheck-places-'))
    const routes = [
      { prefix: '/api', upstream: 'http://127.0.0.1:9' },
      { prefix: '/pages', upstream: 'external', token: 'none' },
      { prefix: '/', upstream: 'external', token: 'none' },
    ]
    await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes }))
    world = await startFaultWorld({
      BASE_URL: 'https://app.example.test/desk',
      AUTH_PREFIX: '/auth',
      COOKIE_NAME: 'desk',
      API_URL: '',
      ROUTES_FILE: join(folder, 'routes.json'),
      FORWARD_AUTH_PORT: `${checkPort}`,
      DEVICE_BINDING: 'auto',
      RATE_LIMIT: 'off',
    })
  })
  afterAll(async () => {
    await world?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** A browser that keeps what it was given. */
  async function openBrowser() {
    const jar = new Map<string, string>()
    const keep = ({ setCookies }: Answer): void => {
      for (const set of setCookies) {
        const [pair = ''] = set.split(';', 1)
        jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
      }
    }
    keep(await world.logIn(undefined, '/desk/auth/login'))
    const cookies = (names = [...jar.keys()]) =>
      names.map((name) => `${name}=${jar.get(name) ?? ''}`).join('; ')
    const sender: Sender = {
      async fetch(path, { method, headers }) {
        const answer = await world.request(method, path, { cookie: cookies(), ...ownFetch, ...headers })
        keep(answer)
        return answer
      },
    }
    return { sender, cookies }
  }

  it('are offered, renewed and demanded there', async () => {
    const { sender, cookies } = await openBrowser()
    const session = await sender.fetch('/desk/auth/session', { method: 'GET', headers: {} })
    const offer = String(session.headers['secure-session-registration'])
    expect(offer).toContain('path="/desk/auth/device"')
    const device = createSoftwareDevice()
    const registered = await device.register(sender, offer)
    const { session_identifier: id, refresh_url: path, credentials } = registered.json()
    expect([registered.status, path]).toEqual([200, '/desk/auth/device/refresh'])
    expect(credentials).toMatchObject([{ type: 'cookie', name: boundName }])
    expect(pathsIn(registered)).toEqual([
      'exclude /',
      'include /desk/api',
      'include /desk/pages',
      'include /desk',
      'include /desk/auth/session',
      'include /desk/auth/sessions',
    ])
    expect((await device.renew(sender, String(id), { path: String(path) })).status).toBe(200)

    const asked = (
      cookie: string,
      headers: Readonly<Record<string, string>> = ownFetch,
      uri = '/desk/pages/x',
    ) => ask(checkPort, { uri, headers: { cookie, ...headers } }, '/check/redirect')
    expect((await asked(`${cookies()}; theme=dark`)).headers.cookie).toBe('theme=dark')
    const stolen = cookies([longName])
    await expect.poll(async () => (await asked(stolen)).status).toBe(401)
    expectProblem(await asked(stolen), 401, 'device_proof_missing')
    expectProblem(await asked(stolen, ownFetch, '/desk/elsewhere'), 401, 'device_proof_missing')
    const page = await asked(stolen, navigation('none'))
    expect([page.status, page.headers.location]).toEqual([401, undefined])
    expect((await asked(cookies(), navigation('cross-site'))).status).toBe(200)
    const skipped = { ...ownFetch, 'secure-session-skipped': 'unreachable' }
    expectProblem(await asked(stolen, skipped), 503, 'overloaded')
    world.advance(662_000)
    expectProblem(await asked(cookies()), 401, 'device_proof_missing')
    expect((await device.renew(sender, String(id), { path: String(path) })).status).toBe(200)
    expect((await asked(cookies())).status).toBe(200)
  })
})

describe('a gateway whose proxy asks for every path', () => {
  let world: FaultWorld
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coatcheck-places-'))
    const routes = [{ prefix: '/', upstream: 'external', token: 'none' }]
    await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes }))
    world = await startFaultWorld({
      API_URL: '',
      ROUTES_FILE: join(folder, 'routes.json'),
      FORWARD_AUTH_PORT: `${await freePort()}`,
      DEVICE_BINDING: 'auto',
    })
  })
  afterAll(async () => {
    await world?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('names the root as a path that browsers take', async () => {
    const cookie = await world.signIn()
    const sender: Sender = {
      fetch: (path, { method, headers }) => world.request(method, path, { cookie, ...ownFetch, ...headers }),
    }
    const session = await sender.fetch('/session', { method: 'GET', headers: {} })
    const offer = String(session.headers['secure-session-registration'])
    const registered = await createSoftwareDevice().register(sender, offer)
    expect(pathsIn(registered)).toEqual(['exclude /', 'include /', 'include /session', 'include /sessions'])
  })
})
