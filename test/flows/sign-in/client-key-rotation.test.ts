import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { publishedKeys, readPrivateKeys } from '../../../src/signing/signing-keys.ts'
import { type GatewayProcess, startGatewayProcess } from '../../support/gateway/gateway-process.ts'
import { freePort } from '../../support/ports.ts'
import { newClientKey, signInAt } from '../../support/provider/fapi-gateway.ts'
import {
  type FapiProvider,
  fapiAudience,
  fapiClient,
  startFapiProvider,
} from '../../support/provider/fapi-provider.ts'
import { startRedis } from '../../support/redis/redis.ts'

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-rotation-'))
const ends: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const end of ends.reverse()) await end()
  rmSync(folder, { recursive: true })
})

const [oldKey, freshKey] = [newClientKey(), newClientKey()]
const both = publishedKeys(readPrivateKeys(`${oldKey}${freshKey}`), 'sig')

/** A login is begun this often, milliseconds. */
const loginEveryMs = 50
const logins = 40

async function signIn(fapi: FapiProvider, begins: GatewayProcess, ends: GatewayProcess): Promise<string> {
  const { status, location, cookie } = await signInAt(fapi, [begins.port, ends.port])
  return `${status} ${location} ${/coatcheck-\d+=/.test(cookie)}`
}

describe('CLIENT_KEY in a file', () => {
  it('is rotated on two processes, one after the other, under a login each 50 ms: none fails', async () => {
    const redis = await startRedis()
    ends.push(redis.stop)
    const ports = [await freePort(), await freePort()]
    const baseUrl = `http://127.0.0.1:${ports[0]}`
    const client = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: both } }
    const fapi = await startFapiProvider({ client, baseUrl })
    ends.push(fapi.stop)
    const files = ports.map((port) => join(folder, `${port}`))
    for (const file of files) writeFileSync(file, oldKey)
    const nodes = await Promise.all(
      ports.map((port, at) =>
        startGatewayProcess({
          PORT: `${port}`,
          BASE_URL: baseUrl,
          ISSUER_URL: fapi.issuer,
          CLIENT_ID: fapiClient.id,
          CLIENT_KEY_FILE: files[at] ?? '',
          API_AUDIENCE: fapiAudience,
          AUDIENCE_PARAMETER: 'resource',
          API_URL: 'http://127.0.0.1:9',
          SCOPE: 'openid profile',
          SESSION_SECRET: 'a-secret-of-the-rotation-of-keys-0123456789abc',
          REDIS_URL: redis.url,
          RATE_LIMIT: 'off',
          LOG_FORMAT: 'json',
          DRAIN_DELAY: '0',
        }),
      ),
    )
    for (const node of nodes) {
      ends.push(node.kill)
      await node.ready()
    }
    const [a, b] = nodes
    if (a === undefined || b === undefined) throw new Error('two nodes were to start')
    const under: Promise<string>[] = []
    for (let at = 0; at < logins; at++) {
      under.push(at % 2 === 0 ? signIn(fapi, a, b) : signIn(fapi, b, a))
      // Half written first, as an editor does it; then whole.
      if (at === 12 || at === 24) writeFileSync(files[at === 12 ? 0 : 1] ?? '', freshKey.slice(0, 60))
      if (at === 14 || at === 26) writeFileSync(files[at === 14 ? 0 : 1] ?? '', `${freshKey}${oldKey}`)
      await sleep(loginEveryMs)
    }
    expect(new Set(await Promise.all(under))).toEqual(new Set([`303 / true`]))
    const kids = fapi.requests.flatMap(({ form }) =>
      form.has('client_assertion') ? [kidOf(form.get('client_assertion'))] : [],
    )
    expect([kids[0], kids.at(-1)]).toEqual(both.map(({ kid }) => kid))
    for (const node of nodes) {
      const said = node.log().filter((line) => JSON.stringify(line).includes('CLIENT_KEY_FILE'))
      expect(said.map(({ level }) => level)).toEqual(['error', 'info'])
    }
  })
})

function kidOf(jwt: string | null): string {
  return JSON.parse(Buffer.from((jwt ?? '').split('.')[0] ?? '', 'base64url').toString()).kid
}
