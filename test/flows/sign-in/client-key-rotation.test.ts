import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { publishedKeys, readPrivateKeys } from '../../../src/signing/signing-keys.ts'
import { claimsOf, createProofVerifier, valuesOf } from '../../support/api/proof-verifier.ts'
import { exchange } from '../../support/exchange.ts'
import { type GatewayProcess, startGatewayProcess } from '../../support/gateway/gateway-process.ts'
import { freePort } from '../../support/ports.ts'
import { newClientKey, signInAt } from '../../support/provider/fapi-gateway.ts'
import {
  type FapiProvider,
  type FapiProviderOptions,
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

interface World {
  readonly fapi: FapiProvider
  readonly nodes: readonly GatewayProcess[]
  /** Of each node, where its key stands. */
  readonly files: readonly string[]
}

/** Two processes of one gateway with the old key each, and a provider that knows both. */
async function startNodes(
  provider: Partial<FapiProviderOptions>,
  settings: Readonly<Record<string, string>>,
): Promise<World> {
  const redis = await startRedis()
  ends.push(redis.stop)
  const ports = [await freePort(), await freePort()]
  const baseUrl = `http://127.0.0.1:${ports[0]}`
  const fapi = await startFapiProvider({ client: clientWith(both), baseUrl, ...provider })
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
        ...settings,
      }),
    ),
  )
  for (const node of nodes) {
    ends.push(node.kill)
    await node.ready()
  }
  return { fapi, nodes, files }
}

const clientWith = (keys: readonly object[]) => ({
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys },
})

describe('CLIENT_KEY in a file', () => {
  it('is rotated on two processes, one after the other, under a login each 50 ms: none fails', async () => {
    const { fapi, nodes, files } = await startNodes({}, {})
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
      // A file that is being written may be seen empty as well.
      expect([...new Set(said.map(({ level }) => level))]).toEqual(['error', 'info'])
      expect(said.at(-1)).toMatchObject({ level: 'info' })
    }
  })

  it('is rotated while tokens are bound to keys of sessions, which neither change nor end', async () => {
    const api = await startKeyReader()
    ends.push(api.stop)
    const provider = { accessTokenSeconds: 1, features: { dPoP: { enabled: true } } }
    const own = { TOKEN_BINDING: 'dpop', API_URL: api.url, SCOPE: 'openid profile offline_access' }
    const { fapi, nodes, files } = await startNodes(provider, {
      ...own,
      AUTHORIZATION_PARAMETERS: 'prompt=consent',
    })
    const ports = [nodes[0]?.port ?? 0, nodes[1]?.port ?? 0] as const
    const { cookie } = await signInAt(fapi, ports)
    /** Each refreshes, at each node in turn. */
    const callEach = async (): Promise<readonly number[]> => {
      const statuses: number[] = []
      for (const port of [...ports, ...ports]) {
        await sleep(1_000)
        const headers = { cookie, host: `127.0.0.1:${ports[0]}`, 'x-csrf': '1' }
        statuses.push(
          (await exchange({ method: 'GET', url: new URL(`http://127.0.0.1:${port}/api/x`), headers })).status,
        )
      }
      return statuses
    }
    expect(await callEach()).toEqual([200, 200, 200, 200])
    for (const file of files) writeFileSync(file, freshKey)
    expect(await callEach()).toEqual([200, 200, 200, 200])
    const signers = fapi.requests.flatMap(({ form }) =>
      form.get('grant_type') === 'refresh_token' ? [kidOf(form.get('client_assertion'))] : [],
    )
    expect([signers[0], signers.at(-1)]).toEqual(both.map(({ kid }) => kid))
    expect(signers.length).toBeGreaterThanOrEqual(8)
    expect(new Set(api.keys).size).toBe(1)
    expect(api.keys).not.toContain('')
  })
})

/** An API that notes the thumbprint of the key of each proof, where it is that of the token, too. */
async function startKeyReader() {
  const keys: string[] = []
  const verifier = createProofVerifier()
  const server = createServer(({ rawHeaders, method = '', url: target = '' }, response) => {
    const [accessToken = ''] = valuesOf(rawHeaders, 'authorization').map((each) => each.split(' ')[1])
    const received = { proofs: valuesOf(rawHeaders, 'dpop'), method, url: `${url}${target}`, accessToken }
    const key = received.proofs.length === 0 ? '' : verifier.verify(received)
    keys.push((claimsOf(accessToken).cnf as { jkt?: string } | undefined)?.jkt === key ? key : '')
    response.end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = async () => {
    server.closeAllConnections()
    server.close()
  }
  return { url, keys, stop }
}

function kidOf(jwt: string | null): string {
  return JSON.parse(Buffer.from((jwt ?? '').split('.')[0] ?? '', 'base64url').toString()).kid
}
