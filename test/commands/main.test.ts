import { describe, expect, it } from 'vitest'
import { commands } from '../../src/commands/commands.ts'
import { main } from '../../src/commands/main.ts'
import { settingRows } from '../../src/config/settings/settings.ts'
import { chooseAlgorithm } from '../../src/signing/algorithms.ts'
import { readPrivateKeys } from '../../src/signing/signing-keys.ts'
import { minimalEnv } from '../config/fixtures.ts'
import { freePort } from '../support/ports.ts'

interface Outcome {
  readonly code: number
  readonly printed: string
  readonly complained: readonly string[]
}

async function run(
  argumentsOf: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Outcome> {
  const printed: string[] = []
  const complained: string[] = []
  const code = await main({
    arguments: argumentsOf,
    readEnv: () => env,
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    isTerminal: false,
  })
  return { code, printed: printed.join('\n'), complained }
}

describe('the command line', () => {
  it.each([[['--help']], [['-h']], [['help']], [['--version', '--help']]])(
    'shows for %j every command, on one screen',
    async (line) => {
      const { code, printed } = await run(line)
      expect(code).toBe(0)
      for (const { name } of commands) expect(printed).toContain(`  ${name}`)
      expect(printed.split('\n').length).toBeLessThan(24)
    },
  )

  it('shows every setting when asked for them', async () => {
    const { code, printed } = await run(['help', 'settings'])
    expect(code).toBe(0)
    for (const [name] of settingRows) expect(printed).toContain(`  ${name}`)
  })

  it.each([
    [['sessions', '--help'], 'Usage: coatcheck sessions list|revoke', '--sid'],
    [['sessions', 'revoke', '--sub', 'x', '-h'], 'Usage: coatcheck sessions list|revoke', '--all'],
    [['help', 'doctor'], 'Usage: coatcheck doctor', '--login'],
    [['config', '--help'], 'Usage: coatcheck config', 'exit code'],
  ])('shows what one command takes for %j', async (line, usage, detail) => {
    const { code, printed } = await run(line)
    expect(code).toBe(0)
    expect(printed).toContain(usage)
    expect(printed).toContain(detail)
    expect(printed).not.toContain('ISSUER_URL')
  })

  it('has no help on what is no command', async () => {
    expect(await run(['help', 'quite-else'])).toMatchObject({ code: 2, printed: '' })
  })

  it('keeps help within the width of a terminal', async () => {
    const { printed } = await run(['--help'])
    const each = await Promise.all(commands.map(({ name }) => run([name, '--help'])))
    const lines = [printed, ...each.map((one) => one.printed)].join('\n').split('\n')
    expect(lines.filter((line) => line.length > 100)).toEqual([])
  })

  it.each([[['--version']], [['-v']], [['version']]])('shows the version for %j', async (line) => {
    expect(await run(line)).toMatchObject({ code: 0, printed: expect.stringMatching(/^\d+\.\d+\.\d+/) })
  })

  it.each([
    ['confg', 'command "confg"; did you mean config?'],
    ['--hepl', 'flag "--hepl"; did you mean --help?'],
    ['quite-else', 'command "quite-else"'],
    ['--constructor', 'flag "--constructor"'],
  ])('answers %s with exit code 2 and one line', async (word, hint) => {
    const { code, complained } = await run([word])
    expect(code).toBe(2)
    expect(complained).toEqual([`coatcheck: unknown ${hint} (coatcheck --help shows what there is)`])
  })

  it.each(['config', 'secret', 'version'])('refuses arguments that %s does not take', async (command) => {
    expect(await run([command, 'extra'], minimalEnv)).toMatchObject({ code: 2, printed: '' })
  })

  it('needs no readable environment to show help', async () => {
    const code = await main({
      arguments: ['--help'],
      readEnv: () => {
        throw new Error('must not be read')
      },
      print: () => undefined,
      complain: () => undefined,
      isTerminal: false,
    })
    expect(code).toBe(0)
  })
})

describe('coatcheck sessions', () => {
  it.each(['', 'revoke', 'revoke --all --sub a', 'end --all', 'list --sub', 'list --user a', 'list twice'])(
    'takes "%s" for a mistake and touches nothing',
    async (line) => {
      const { code, printed, complained } = await run(['sessions', ...line.split(' ').filter(Boolean)])
      expect({ code, printed }).toEqual({ code: 2, printed: '' })
      expect(complained).toHaveLength(1)
      expect(complained[0]).toMatch(/^coatcheck: /)
    },
  )

  it('refuses when sessions live in the memory of the gateway', async () => {
    const { code, complained } = await run(['sessions', 'list'], minimalEnv)
    expect(code).toBe(1)
    expect(complained).toEqual([expect.stringContaining('set REDIS_URL')])
  })
})

describe('coatcheck secret', () => {
  it('prints a fresh secret that the gateway accepts, and nothing else', async () => {
    const [one, other] = [await run(['secret']), await run(['secret'])]
    expect(one.printed).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(one.printed).not.toBe(other.printed)
    expect(await run(['config'], { ...minimalEnv, SESSION_SECRET: one.printed })).toMatchObject({ code: 0 })
  })
})

describe('coatcheck client-key', () => {
  it.each(['auth0', 'keycloak', 'entra', 'okta'])(
    'prints a key that the gateway accepts, and what %s is told',
    async (name) => {
      const { code, printed, complained } = await run(['client-key', '--for', name])
      expect(code).toBe(0)
      const { CLIENT_SECRET: _secret, ...env } = minimalEnv
      expect(await run(['config'], { ...env, CLIENT_KEY: printed })).toMatchObject({ code: 0 })
      const told = complained.join('\n')
      expect(told.toLowerCase()).toContain(name)
      // Nothing of the private half.
      const secrets = printed.startsWith('{')
        ? ['d', 'p', 'q', 'dp', 'dq', 'qi'].map((name) => JSON.parse(printed)[name])
        : printed.split('\n').slice(1, -1)
      for (const secret of secrets) expect(told).not.toContain(secret)
    },
  )

  it.each(['RS256', 'PS256', 'ES256', 'EdDSA'])(
    'prints a key that signs with %s and nothing else, as the provider was told',
    async (algorithm) => {
      const { printed, complained } = await run(['client-key', '--for', 'okta', '--algorithm', algorithm])
      const [key] = readPrivateKeys(printed)
      const told = JSON.parse(complained.findLast((line) => line.startsWith('{')) ?? '')
      expect(told).toMatchObject({ alg: algorithm, kid: key.keyId, use: 'sig' })
      expect(chooseAlgorithm(key, ['PS256', 'RS256', 'ES256', 'EdDSA'])).toBe(algorithm)
      expect(chooseAlgorithm(key, undefined)).toBe(algorithm)
    },
  )

  it('refuses an algorithm and a provider that it does not know', async () => {
    expect((await run(['client-key', '--algorithm', 'HS256'])).code).toBe(2)
    expect((await run(['client-key', '--for', 'nobody'])).code).toBe(2)
  })
})

describe('coatcheck config', () => {
  const env = {
    ...minimalEnv,
    CLIENT_SECRET: 'NeverShown1',
    REDIS_URL: 'redis://someone:NeverShown2@redis.internal:6379/3',
    SESSION_SECRET: 'NeverShown3-abcdefghijklmnopqrstuvwxyz',
    UPSTREAM_CA: '-----BEGIN CERTIFICATE-----\nNeverShown4\n-----END CERTIFICATE-----',
  }

  it('shows what is in effect, where it comes from, and the routes', async () => {
    const { code, printed } = await run(['config'], env)
    expect(code).toBe(0)
    expect(printed).toContain('ISSUER_URL=https://tenant.example.com/')
    expect(printed).toContain('PORT=3000  # default')
    expect(printed).toContain('# ADMIN_PORT is not set')
    expect(printed).toContain('REDIS_URL=redis://********@redis.internal:6379/3')
    expect(printed).toContain('# /api → http://api:8080/v1 (auth required, audience https://api.example.com)')
  })

  it('shows no secret', async () => {
    const { printed, complained } = await run(['config'], env)
    expect(printed).toContain('CLIENT_SECRET=********')
    expect(printed + complained.join()).not.toMatch(/NeverShown|someone/)
  })

  it('shows no secret of a configuration that is wrong either', async () => {
    const { code, printed, complained } = await run(['config'], {
      ...env,
      REDIS_URL: 'redis:NeverShown2@@redis:port',
      SESSION_SECRET: 'NeverShown3',
      PORT: 'NeverShown5',
    })
    expect(code).toBe(1)
    expect(printed + complained.join()).not.toMatch(/NeverShown/)
    expect(complained.map((line) => line.split(':')[1]?.trim())).toEqual([
      'SESSION_SECRET',
      'REDIS_URL',
      'PORT',
    ])
  })

  it('warns about variables that nearly match a setting', async () => {
    const { code, complained } = await run(['config'], { ...env, SESSION_SECRETS: 'NeverShown6' })
    expect(code).toBe(0)
    expect(complained).toEqual([
      'warning: SESSION_SECRETS is not a setting and does nothing; did you mean SESSION_SECRET?',
    ])
  })
})

describe('coatcheck doctor', () => {
  const nowhere = 'http://127.0.0.1:4'
  const env = {
    ...minimalEnv,
    ISSUER_URL: nowhere,
    API_URL: nowhere,
    BASE_URL: nowhere,
    CLIENT_SECRET: 'NeverShown1',
  }

  it('prints a line for each check and the count, with exit code 1 when something fails', async () => {
    const port = String(await freePort())
    const { code, printed, complained } = await run(['doctor'], { ...env, PORT: port })
    const lines = printed.split('\n')
    expect(code).toBe(1)
    expect(lines[0]).toMatch(/^coatcheck doctor \d/)
    expect(lines.at(-1)).toMatch(/^\d+ failed, \d+ to look at, \d+ passed, \d+ skipped\.$/)
    for (const line of lines.slice(1, -1))
      expect(line).toMatch(/^(?:pass|warn|fail|skip) {2}[a-z.-]+(?:[ ,][^:]*)?: /)
    expect(printed + complained.join()).not.toContain('NeverShown')
  })

  it('prints one document with --json, even when the settings are wrong', async () => {
    const { code, printed } = await run(['doctor', '--json'], { ...env, PORT: 'NeverShown2' })
    expect(code).toBe(1)
    expect(JSON.parse(printed)).toMatchObject({
      ok: false,
      checks: [{ check: 'settings', status: 'fail', subject: 'PORT' }],
    })
    expect(printed).not.toContain('NeverShown')
  })

  it('looks with --front at the settings and at what becomes of a request on its way here, and at nothing else', async () => {
    const port = String(await freePort())
    const { printed } = await run(['doctor', '--front', '--json'], { ...env, PORT: port })
    const { checks } = JSON.parse(printed) as { readonly checks: readonly { readonly check: string }[] }
    expect([...new Set(checks.map(({ check }) => check))]).toEqual([
      'settings',
      'base-url',
      'proxy.headers',
      'proxy.large-headers',
      'proxy.trust',
    ])
  })

  it('refuses arguments that it does not know', async () => {
    expect(await run(['doctor', '--fix'])).toMatchObject({
      code: 2,
      complained: [expect.stringContaining('unexpected argument "--fix"')],
    })
  })
})
