import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lingerMs } from '../../../src/http/lifetime/body.ts'
import type { AccessToken } from '../../../src/oidc/tokens/token-set.ts'
import { sweepMs } from '../../../src/proxy/upstream/sweep.ts'
import { startUpstream, type Upstream } from '../../support/api/upstream.ts'
import { eventually } from '../../support/eventually.ts'
import { cookie, routeTo, startProxy, type TestProxy, tokenOf } from '../support/harness.ts'

// A small body is looked for in the next turn of the event loop. Whatever happens to a request may happen before that.

const idleTimeoutMs = 2 * sweepMs
let upstream: Upstream
let proxy: TestProxy
let browser: Socket

beforeEach(async () => {
  upstream = await startUpstream()
  proxy = await startProxy({ routes: [routeTo(upstream.origin, { idleTimeoutMs })] })
  browser = connect({ port: proxy.port, host: '127.0.0.1' })
  await once(browser, 'connect')
})
afterEach(async () => {
  browser.destroy()
  await proxy.stop()
  await upstream.stop()
})

/** The token comes by a timer, in a turn in which all that is done at intervals is due right behind it. */
function handOutTokenAtBusyTime(): void {
  proxy.tokens.get = () => {
    proxy.tokens.get = () => tokenOf('token-2')
    const token = new Promise<AccessToken>((resolve) => setTimeout(() => resolve(tokenOf('token-1')), 1))
    for (const beganMs = performance.now(); performance.now() - beganMs < sweepMs + 20; );
    return token
  }
}

/** A request whose body comes later, and one behind it on the same connection. Returns their statuses. */
async function askTwice(between: () => void): Promise<readonly string[]> {
  let text = ''
  browser.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const head = `host: x\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n`
  browser.write(`POST /api/x HTTP/1.1\r\n${head}content-length: 5\r\n\r\n`)
  await sleep(sweepMs + 150)
  between()
  browser.write(`helloGET /api/x HTTP/1.1\r\n${head}\r\n`)
  const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status ?? '')
  await eventually(() => expect(statuses()).toHaveLength(2))
  return statuses()
}

test('a request that begins long after its route did was not silent for that long', async () => {
  await sleep(idleTimeoutMs + 2 * sweepMs)
  handOutTokenAtBusyTime()
  expect(await askTwice(() => undefined)).toEqual(['200', '200'])
  expect((await upstream.requests[0]?.body)?.toString()).toBe('hello')
})

test('a session that ends in that turn does not cost the connection, whose next request is answered', async () => {
  const { view } = proxy.sessions
  if (view === undefined) throw new TypeError('a session is there')
  handOutTokenAtBusyTime()
  proxy.sessions.view = { ...view, endsAtMs: Date.now() + sweepMs / 2 }
  const statuses = await askTwice(() => {
    proxy.sessions.view = view
  })
  expect(statuses).toEqual(['401', '200'])
  expect(upstream.requests.map(({ method }) => method)).toEqual(['GET'])
  // Until then a body that had not come would have been waited for.
  await sleep(lingerMs + 100)
  expect(browser.readyState).toBe('open')
})
