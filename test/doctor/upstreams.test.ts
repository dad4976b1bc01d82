import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { afterEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import type { Check } from '../../src/doctor/check.ts'
import { spaCheck } from '../../src/doctor/checks/front/spa.ts'
import { upstreamsCheck } from '../../src/doctor/checks/upstreams/upstreams.ts'
import { createDoctorContext } from '../../src/doctor/context.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { minimalEnv } from '../config/fixtures.ts'
import { makeCertificates } from '../support/fronts/certificates.ts'
import { freePort } from '../support/ports.ts'

const cleanUp: (() => unknown)[] = []

afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

async function serve(server: ReturnType<typeof createServer>, scheme: string): Promise<string> {
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  cleanUp.push(() => new Promise((resolve) => server.close(resolve)))
  return `${scheme}://127.0.0.1:${port}`
}

const startApi = (handle: RequestListener): Promise<string> => serve(createServer(handle), 'http')

function answering(status: number, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return startApi((_request, response) => response.writeHead(status, headers).end())
}

async function findingsOf(check: Check, env: Readonly<Record<string, string>>): Promise<readonly Finding[]> {
  const { context, close } = createDoctorContext(loadConfig({ ...minimalEnv, ...env }), {
    now: Date.now,
    desk: { announce: () => undefined, waitMs: 0 },
  })
  const findings = [await check.examine(context)].flat()
  await close()
  return findings
}

describe('an API', () => {
  it.each([
    [401, {}, 'pass', 'answers 401 without a token'],
    [404, {}, 'pass', 'does not show whether it asks for tokens'],
    [200, {}, 'warn', 'whoever reaches it gets in, past the gateway'],
    [302, { location: '/docs' }, 'pass', 'answers 302'],
    [302, { location: 'https://elsewhere.example/' }, 'warn', 'redirects to another address'],
    [500, {}, 'warn', 'answers 500'],
  ])('that answers %i %j without a token: %s', async (status, headers, expected, words) => {
    const findings = await findingsOf(upstreamsCheck, { API_URL: await answering(status, headers) })
    expect(findings).toEqual([
      expect.objectContaining({ subject: '/api', status: expected, summary: expect.stringContaining(words) }),
    ])
  })

  it.each([
    ['DPoP algs="ES256"', 'none', 'fail', 'bearer tokens are sent'],
    ['DPoP algs="ES256"', 'dpop', 'pass', 'answers 401'],
    ['Bearer, DPoP algs="ES256"', 'none', 'pass', 'answers 401'],
    ['Bearer realm="x"', 'dpop', 'warn', 'are bound to a key'],
    ['Bearer realm="x"', 'none', 'pass', 'answers 401'],
    ['', 'dpop', 'pass', 'answers 401'],
  ])('that asks for %s while TOKEN_BINDING=%s: %s', async (challenge, binding, expected, words) => {
    const headers = challenge === '' ? {} : { 'www-authenticate': challenge }
    const env = { API_URL: await answering(401, headers), TOKEN_BINDING: binding }
    expect(await findingsOf(upstreamsCheck, env)).toEqual([
      expect.objectContaining({ status: expected, summary: expect.stringContaining(words) }),
    ])
  })

  it('is sent no token, no cookie and no secret', async () => {
    const seen: string[] = []
    const url = await startApi((request, response) => {
      seen.push(...request.rawHeaders.filter((_part, index) => index % 2 === 0))
      response.writeHead(401).end()
    })
    await findingsOf(upstreamsCheck, { API_URL: url })
    expect(seen.map((name) => name.toLowerCase()).sort()).toEqual(['accept', 'connection', 'host'])
  })

  it('whose certificate is from an authority of its own is named, and is well with that authority', async () => {
    const certificates = await makeCertificates()
    cleanUp.push(certificates.remove)
    const server = createTlsServer(
      { cert: readFileSync(certificates.certificateFile), key: readFileSync(certificates.keyFile) },
      (_request, response) => response.writeHead(401).end(),
    )
    const url = await serve(server, 'https')
    const [unknown] = await findingsOf(upstreamsCheck, { API_URL: url })
    expect(unknown).toMatchObject({ status: 'fail', fix: expect.stringContaining('UPSTREAM_CA_FILE') })
    const [known] = await findingsOf(upstreamsCheck, { API_URL: url, UPSTREAM_CA: certificates.ca })
    expect(known).toMatchObject({ status: 'pass' })
  })
})

describe('a development server of the app', () => {
  it('that is not there is a warning', async () => {
    const [missing] = await findingsOf(spaCheck, { SPA_URL: `http://127.0.0.1:${await freePort()}` })
    expect(missing).toMatchObject({ status: 'warn', fix: expect.stringContaining('SPA_URL') })
    const [there] = await findingsOf(spaCheck, { SPA_URL: await answering(200) })
    expect(there).toMatchObject({ status: 'pass' })
  })
})
