import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv, promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { envText } from '../../../src/commands/setup/env-text.ts'
import { loadConfig } from '../../../src/config/load-config.ts'

const run = promisify(execFile)
const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coatcheck-init-'))
  await writeFile(join(folder, 'secret'), 'the-secret')
})
afterEach(() => rm(folder, { recursive: true }))

const flags = (issuer: string, ...more: string[]) => [
  'init',
  ...['--issuer', issuer, '--client-id', 'shop', '--client-secret-file', 'secret'],
  ...['--audience', 'https://api.example.com', ...more],
]
/** In a folder of its own, with nobody at a terminal. */
const init = (args: readonly string[]) =>
  run(process.execPath, [cli, ...args], { cwd: folder, env: { PATH: process.env.PATH } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (failure: { readonly code: number; readonly stdout: string; readonly stderr: string }) => failure,
  )
const written = async () => parseEnv(await readFile(join(folder, '.env'), 'utf8'))

describe('coatcheck init', () => {
  it('writes settings that load, a new secret among them, and says what to register', async () => {
    const { code, stdout } = await init(flags('https://tenant.eu.auth0.com', '--skip-doctor'))
    expect([code, stdout]).toEqual([0, expect.stringContaining('http://localhost:3000/logout/callback')])
    const config = loadConfig(await written(), { readFile: () => 'the-secret' })
    expect(config).toMatchObject({ issuerUrl: 'https://tenant.eu.auth0.com/', clientId: 'shop' })
    expect(config.sessionSecret[0]).toHaveLength(43)
    expect((await stat(join(folder, '.env'))).mode & 0o077).toBe(0)
  })

  it.each([
    ['https://kc.example.com/realms/shop', 'none', 'openid profile email'],
    [
      'https://login.microsoftonline.com/t/v2.0',
      'none',
      'openid profile email offline_access api://https://api.example.com/access_as_user',
    ],
    ['https://other.example.com', undefined, 'openid profile email offline_access'],
  ])('knows what %s wants', async (issuer, parameter, scope) => {
    await init(flags(issuer, '--skip-doctor', '--spa', './dist'))
    expect(await written()).toMatchObject({ ISSUER_URL: issuer, SCOPE: scope, SPA_DIR: './dist' })
    expect((await written()).AUDIENCE_PARAMETER).toBe(parameter)
  })

  it('replaces no .env unless told to', async () => {
    await writeFile(join(folder, '.env'), 'MINE=1')
    const refused = await init(flags('https://other.example.com', '--skip-doctor'))
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--force replaces it')])
    expect(await written()).toEqual({ MINE: '1' })
    expect((await init(flags('https://other.example.com', '--skip-doctor', '--force'))).code).toBe(0)
  })

  it('says which flags are missing where nobody can be asked', async () => {
    const { code, stderr } = await init(['init', '--issuer', 'https://other.example.com'])
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('--client-id, --audience, --client-secret-file'),
    ])
  })
})

describe('the text of a .env', () => {
  it.each(['plain', 'two words', 'a#b', "it's", 'say "x"', ' padded ', 'back`tick'])(
    'is read as it was meant: %s',
    (value) => {
      expect(parseEnv(envText({ NAME: value }))).toEqual({ NAME: value })
    },
  )
})
