import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createGateway } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { examine } from '../../src/doctor/examine.ts'
import { minimalEnv } from '../config/fixtures.ts'
import { freePort } from '../support/ports.ts'

const nowhere = 'http://127.0.0.1:4'
let folder: string
const cleanUp: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-doctor-'))
  const route = { prefix: '/app', upstream: 'external', identityHeaders: { 'X-User': 'sub' } }
  await writeFile(join(folder, 'routes.json'), JSON.stringify({ routes: [route] }))
})
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})
afterAll(() => rm(folder, { recursive: true }))

type Headers = Record<string, string | string[] | undefined>

/** A proxy that asks, or does not, and what doctor says about it; `carried` counts what went past the question. */
async function look(change: (question: Headers) => Headers | undefined, isRunning = false) {
  const [port, checkPort] = [await freePort(), await freePort()]
  let carried = 0
  const proxy = createServer(({ url, method, headers }, response) => {
    const question = change({
      ...headers,
      'x-forwarded-method': method,
      'x-forwarded-uri': url,
      'x-forwarded-host': headers.host,
      'x-forwarded-proto': 'http',
    })
    const carry = (status = 200): void => {
      if (status === 200 && url?.startsWith('/app') === true) carried += 1
      response.writeHead(status).end()
    }
    if (question === undefined || url?.startsWith('/app') !== true) return carry()
    const place = { host: '127.0.0.1', port: checkPort, path: '/check' }
    sendRequest({ ...place, headers: question as Record<string, string> }, (answer) => {
      answer.resume()
      carry(answer.statusCode)
    })
      .on('error', () => carry(502))
      .end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => proxy.once('listening', resolve))
  cleanUp.push(async () => proxy.close())
  const env = {
    ...minimalEnv,
    ISSUER_URL: nowhere,
    API_URL: '',
    ROUTES_FILE: join(folder, 'routes.json'),
    BASE_URL: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    PORT: `${port}`,
    FORWARD_AUTH_PORT: `${checkPort}`,
    LOG_LEVEL: 'silent',
  }
  if (isRunning) {
    const gateway = await createGateway(loadConfig(env))
    await gateway.listen({ port, host: '127.0.0.1' })
    cleanUp.push(() => gateway.close())
  }
  const { checks } = await examine({
    env,
    version: '0.0.0',
    now: Date.now,
    desk: undefined,
    begin: () => undefined,
    tell: () => undefined,
  })
  const finding = checks.find(({ check }) => check === 'proxy.forged-headers')
  return { ...finding, carried }
}

const without =
  (...names: readonly string[]) =>
  (headers: Headers): Headers =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))
const signIn = ['x-auth-request-user', 'x-auth-request-email', 'x-forwarded-user', 'remote-user']

describe('proxy.forged-headers', () => {
  it('passes a proxy that removes what a browser could forge', async () => {
    expect(await look(without('x-user', 'x_user', 'x.user', ...signIn))).toMatchObject({
      status: 'pass',
      carried: 0,
    })
  })

  it.each([
    ['x-user', without('x_user', 'x.user', ...signIn)],
    ['x_user', without('x-user', 'x.user', ...signIn)],
    ['x.user', without('x-user', 'x_user', ...signIn)],
    ['remote-user', without('x-user', 'x_user', 'x.user', ...signIn.slice(0, 3))],
  ])('finds that %s gets through', async (name, change) => {
    const { status, summary } = await look(change)
    expect([status, summary]).toEqual(['fail', expect.stringContaining(`lets ${name} through`)])
  })

  it('finds which line a question lacks', async () => {
    const found = await look(without('x-forwarded-method'))
    expect(found).toMatchObject({ status: 'fail', fix: expect.stringContaining('X-Forwarded-Method') })
  })

  it('finds a proxy that carries unasked', async () => {
    expect(await look(() => undefined)).toMatchObject({
      status: 'warn',
      carried: 1,
      summary: expect.stringContaining('Nobody asks at FORWARD_AUTH_PORT about /app'),
    })
  })

  it('leaves a gateway that runs in its place', async () => {
    expect(await look((question) => question, true)).toMatchObject({ status: 'skip' })
  })
})
