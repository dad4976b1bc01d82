import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { publishedKeys, readPrivateKeys } from '../../../src/signing/signing-keys.ts'
import { openFapi, signIn } from '../../support/fapi-login.ts'
import { startFapiProvider } from '../../support/fapi-provider.ts'

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-rotation-'))
afterAll(() => rmSync(folder, { recursive: true }))

const newKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString()
const [oldKey, freshKey] = [newKey(), newKey()]
const both = publishedKeys(readPrivateKeys(`${oldKey}${freshKey}`), 'sig')
const kidOf = (jwt: string | null) =>
  JSON.parse(Buffer.from((jwt ?? '').split('.')[0] ?? '', 'base64url').toString()).kid as string

/** A login is begun this often, milliseconds. */
const loginEveryMs = 50
const logins = 40

describe('CLIENT_KEY', () => {
  it('is rotated on two nodes, one after the other, under a login each 50 ms: none fails', async () => {
    const client = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: both } }
    const fapi = await startFapiProvider({ client })
    const nodes = ['a', 'b'].map((name) => {
      const path = join(folder, name)
      writeFileSync(path, oldKey)
      return { path, provider: openFapi(fapi, { clientKey: oldKey, settingFiles: { CLIENT_KEY: path } }) }
    })
    try {
      const under: Promise<unknown>[] = []
      for (let at = 0; at < logins; at++) {
        const node = nodes[at % nodes.length]
        if (node !== undefined) under.push(signIn(fapi, node.provider))
        // Half written first, as an editor does it; then whole.
        if (at === 12 || at === 24) writeFileSync(nodes[at === 12 ? 0 : 1]?.path ?? '', freshKey.slice(0, 60))
        if (at === 14 || at === 26)
          writeFileSync(nodes[at === 14 ? 0 : 1]?.path ?? '', `${freshKey}${oldKey}`)
        await sleep(loginEveryMs)
      }
      const settled = await Promise.allSettled(under)
      expect(settled.filter(({ status }) => status === 'rejected')).toEqual([])
      const kids = fapi.requests.flatMap(({ form }) =>
        form.has('client_assertion') ? [kidOf(form.get('client_assertion'))] : [],
      )
      expect(kids[0]).toBe(both[0]?.kid)
      expect(kids.at(-1)).toBe(both[1]?.kid)
      expect(kids).toHaveLength(2 * logins)
    } finally {
      for (const { provider } of nodes) await provider.close()
      await fapi.stop()
    }
  })
})
