import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startUpstream, type Upstream, valuesOf } from '../../support/api/upstream.ts'
import type { Answer } from '../../support/exchange.ts'
import { claimsOf } from '../../support/provider/oidc-provider.ts'
import { type FaultWorld, startFaultWorld } from '../../support/worlds/fault-world.ts'

const orders = 'https://api.example.test'
const reports = 'https://reports.example.test'

describe.each(['audience', 'resource'] as const)('one login for two APIs, each named by %s', (parameter) => {
  let upstream: Upstream
  let folder: string
  let world: FaultWorld
  let cookie: string

  beforeAll(async () => {
    upstream = await startUpstream()
    folder = await mkdtemp(join(tmpdir(), 'coatcheck-audiences-'))
    const routes = [
      { prefix: '/api', upstream: upstream.origin },
      { prefix: '/reports', upstream: upstream.origin, audience: reports },
    ]
    await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes }))
    world = await startFaultWorld({
      API_URL: '',
      ROUTES_FILE: join(folder, 'routes.json'),
      AUDIENCE_PARAMETER: parameter,
    })
  })
  afterAll(async () => {
    await world.stop()
    await upstream.stop()
    await rm(folder, { recursive: true })
  })
  beforeEach(async () => {
    cookie = await world.signIn()
  })
  afterEach(() => world.heal())

  const call = (path: string): Promise<Answer> => world.request('GET', path, { cookie, 'x-csrf': '1' })
  /** The audiences of the token that the upstream was sent last. */
  const arrivedFor = (): unknown => {
    const last = upstream.requests.at(-1)
    return claimsOf(last === undefined ? '' : (valuesOf(last, 'authorization')[0] ?? '')).aud
  }
  const refreshes = () =>
    world.provider.requests.filter(({ form }) => form.get('grant_type') === 'refresh_token')

  /** The provider accepts each refresh token once, and only the last one it gave. */
  function rotateStrictly(): void {
    let current: string | undefined
    world.provider.faults.token = (answer, form) => {
      const sent = form.get('refresh_token')
      if (current !== undefined && sent !== current) return { status: 400, body: { error: 'invalid_grant' } }
      current = String(answer.refresh_token)
      return { body: answer }
    }
  }

  it('each API gets a token for itself, obtained once', async () => {
    const before = refreshes().length
    expect((await call('/api/x')).status).toBe(200)
    expect(arrivedFor()).toEqual([orders])
    expect((await call('/reports/x')).status).toBe(200)
    expect(arrivedFor()).toEqual([reports])
    expect((await call('/reports/y')).status).toBe(200)
    expect(
      refreshes()
        .slice(before)
        .map(({ form }) => form.get(parameter)),
    ).toEqual([reports])
  })

  it('the login asks for the first API, and for every API where only that opens the others', async () => {
    const { headers } = await world.request('GET', '/login')
    const asked = new URL(headers.location ?? '').searchParams.getAll(parameter)
    expect(asked).toEqual(parameter === 'resource' ? [orders, reports] : [orders])
  })

  it('a token for another API than the asked one is never sent, and the session is kept', async () => {
    world.provider.faults.accessToken = (claims) => void Object.assign(claims, { aud: [orders] })
    const before = upstream.requests.length
    const answer = await call('/reports/x')
    expect({ status: answer.status, ...answer.json() }).toMatchObject({
      status: 502,
      code: 'access_token_unusable',
      detail: expect.stringContaining(reports),
    })
    expect(upstream.requests).toHaveLength(before)
    expect((await call('/api/x')).status).toBe(200)
    world.heal()
    world.advance(70_000)
    expect((await call('/reports/x')).status).toBe(200)
  })

  it('refreshes for both at once lose neither token nor rotation', async () => {
    await call('/reports/x')
    rotateStrictly()
    for (let round = 0; round < 5; round += 1) {
      world.advance(700_000)
      const paths = Array.from({ length: 10 }, (_, number) => (number % 2 === 0 ? '/api/x' : '/reports/x'))
      const before = refreshes().length
      const answers = await Promise.all(paths.map(call))
      expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 200))
      expect(
        refreshes()
          .slice(before)
          .map(({ form }) => form.get(parameter))
          .sort(),
      ).toEqual([orders, reports])
    }
  })

  it('an API that the provider refuses leaves the other one alone', async () => {
    world.provider.faults.token = (answer, form) =>
      form.get(parameter) === reports ? { status: 400, body: { error: 'invalid_target' } } : { body: answer }
    expect((await call('/reports/x')).json()).toMatchObject({ code: 'provider_rejected' })
    expect((await call('/api/x')).status).toBe(200)
    world.advance(700_000)
    expect((await call('/api/x')).status).toBe(200)
  })
})
