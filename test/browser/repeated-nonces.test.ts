import { readFile } from 'node:fs/promises'
import { request as sendRequest } from 'node:http'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ProvingApi, startProvingApi } from '../support/api/proving-api.ts'
import { launchChromium } from '../support/browser/chromium.ts'
import { type Certificates, makeCertificates } from '../support/fronts/certificates.ts'
import { type RunningGateway, startGateway } from '../support/gateway/gateway.ts'
import { type ScriptedProvider, startScriptedProvider } from '../support/provider/scripted-provider.ts'

let provider: ScriptedProvider
let api: ProvingApi
let gateway: RunningGateway
let certificates: Certificates
let front: Http2SecureServer
let chromium: Browser
let context: BrowserContext
let page: Page

beforeAll(async () => {
  provider = await startScriptedProvider()
  provider.faults.dpop = {}
  api = await startProvingApi(() => provider.publicKeys)
  gateway = await startGateway({
    ISSUER_URL: provider.issuer,
    CLIENT_ID: provider.clientId,
    CLIENT_SECRET: provider.clientSecret,
    API_AUDIENCE: provider.audience,
    API_URL: api.url,
    BASE_URL: 'https://app.example.test',
    SESSION_SECRET: 'session-secret-of-repeated-nonces-0123456789',
    SESSION_STORE: 'memory',
    TOKEN_BINDING: 'dpop',
    SPA_DIR: fileURLToPath(new URL('../support/spa', import.meta.url)),
  })
  certificates = await makeCertificates('DNS:app.example.test')
  front = await startHttp2Front(gateway.port, certificates)
  const { port } = front.address() as AddressInfo
  chromium = await launchChromium([`--host-resolver-rules=MAP app.example.test:443 127.0.0.1:${port}`])
  context = await chromium.newContext({ ignoreHTTPSErrors: true, baseURL: 'https://app.example.test' })
  page = await context.newPage()
  page.setDefaultTimeout(10_000)
  await page.goto('/login?returnTo=/welcome')
  expect(new URL(page.url()).pathname).toBe('/welcome')
})
afterAll(async () => {
  await chromium?.close()
  front?.close()
  await certificates?.remove()
  await gateway?.stop()
  await api?.stop()
  await provider?.stop()
})

/** A proxy in front that speaks HTTP/2, without which Chromium sends no streams. */
async function startHttp2Front(
  targetPort: number,
  { certificateFile, keyFile }: Certificates,
): Promise<Http2SecureServer> {
  const identity = { cert: await readFile(certificateFile), key: await readFile(keyFile) }
  const server = createSecureServer(identity, (request, response) => {
    const { method, url: path, headers, authority: host } = request
    const fields = Object.entries(headers).filter(([name]) => !name.startsWith(':'))
    const own = { ...Object.fromEntries(fields), host }
    const onward = sendRequest({ host: '127.0.0.1', port: targetPort, method, path, headers: own })
    onward.on('error', () => response.stream.close())
    onward.on('response', (answer) => {
      const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...passed } = answer.headers
      response.writeHead(answer.statusCode ?? 502, passed)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

let turn = 0
beforeEach(() => {
  turn += 1
  const nonce = `nonce-${turn}`
  api.behaviour.nonces = () => [nonce]
  api.calls.length = 0
})

interface Seen {
  readonly status: number
  readonly text: string
  readonly tookMs: number
}

/** Calls the helper in the page, with the input and init that a script makes of 100 KB. */
const call = (script: string): Promise<Seen> =>
  page.evaluate(`(async () => {
    const { createCoatcheck } = await import('/client.js')
    const { apiFetch } = createCoatcheck()
    const large = 'x'.repeat(100_000)
    const beganAtMs = performance.now()
    const answer = await (${script})(apiFetch, large)
    return { status: answer.status, text: await answer.text(), tookMs: performance.now() - beganAtMs }
  })()`)

describe('an upload in Chromium that lacks the nonce of the API', () => {
  it.each([
    ['a text', "(fetch, large) => fetch('/api/x', { method: 'POST', body: large })"],
    ['a Blob', "(fetch, large) => fetch('/api/x', { method: 'PUT', body: new Blob([large]) })"],
    [
      'bytes',
      "(fetch, large) => fetch('/api/x', { method: 'PATCH', body: new TextEncoder().encode(large) })",
    ],
    [
      'a form with a file',
      "(fetch, large) => { const form = new FormData(); form.set('a', 'ä'); form.set('file', new File([large], 'x.bin')); return fetch('/api/x', { method: 'POST', body: form }) }",
    ],
    [
      'a Request that holds a form',
      "(fetch, large) => { const form = new FormData(); form.set('file', new File([large], 'x.bin')); return fetch(new Request('/api/x', { method: 'POST', body: form })) }",
    ],
    // Nobody can tell how it was made; it keeps what it has given away.
    [
      'a Request that holds a stream',
      "(fetch, large) => fetch(new Request('/api/x', { method: 'POST', duplex: 'half', body: new Blob([large]).stream() }))",
    ],
  ])('goes once more, whole, when it is %s', async (_what, script) => {
    const { status, text, tookMs } = await call(script)
    expect([status, Number(text) >= 100_000]).toEqual([200, true])
    expect(tookMs).toBeGreaterThan(900)
    expect(api.calls.filter(({ fault }) => fault === '')).toHaveLength(1)
    const [sent] = api.calls.filter(({ fault }) => fault === '')
    expect(sent?.body.toString('latin1')).toContain('x'.repeat(100_000))
  })

  it("is the page's to send again when it is a stream", async () => {
    const script =
      "(fetch, large) => fetch('/api/x', { method: 'POST', duplex: 'half', body: new Blob([large]).stream() })"
    const { status, text } = await call(script)
    expect([status, text.includes('upstream_nonce')]).toEqual([503, true])
    expect(api.calls).toHaveLength(1)
    // By now the nonce is known.
    expect((await call(script)).status).toBe(200)
  })

  it('is not sent a third time to an API that never takes a nonce', async () => {
    api.behaviour.nonces = () => {
      turn += 1
      return [`never-${turn}`]
    }
    const { status } = await call("(fetch, large) => fetch('/api/x', { method: 'POST', body: large })")
    expect([status, api.calls.length]).toEqual([503, 2])
  })

  it('is sent by a page without the helper as often as the page says', async () => {
    const script =
      "(_, large) => fetch('/api/x', { method: 'POST', body: large, headers: { 'x-csrf': '1' } })"
    const { status } = await call(script)
    expect([status, api.calls.length]).toEqual([503, 1])
  })
})
