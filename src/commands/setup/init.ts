import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { addressesAtProvider } from '../../config/endpoints.ts'
import type { Environment } from '../../config/environment.ts'
import { type CommandContext, CommandError, UsageError } from '../command.ts'
import { run as runDoctor } from '../doctor.ts'
import { readArguments } from '../read-arguments.ts'
import { envText } from './env-text.ts'
import { type Ask, createAsk } from './questions.ts'

const flags = {
  issuer: { type: 'string' },
  'client-id': { type: 'string' },
  'client-secret-file': { type: 'string' },
  audience: { type: 'string' },
  api: { type: 'string' },
  'base-url': { type: 'string' },
  spa: { type: 'string' },
  redis: { type: 'string' },
  force: { type: 'boolean' },
  'skip-doctor': { type: 'boolean' },
} as const

type Flag = keyof typeof flags

/** What has to be known, how it is asked for, and which setting it becomes. */
interface Question {
  readonly flag: Flag
  readonly setting: string
  readonly text: string
  readonly fallback?: string
}

const questions: readonly Question[] = [
  {
    flag: 'issuer',
    setting: 'ISSUER_URL',
    text: 'Issuer of the provider (https://YOUR_TENANT.eu.auth0.com/, https://HOST/realms/REALM, …)',
  },
  { flag: 'client-id', setting: 'CLIENT_ID', text: 'Client id' },
  { flag: 'audience', setting: 'API_AUDIENCE', text: "The API's identifier (audience)" },
  { flag: 'api', setting: 'API_URL', text: 'Where the API listens', fallback: 'http://localhost:8080' },
  { flag: 'base-url', setting: 'BASE_URL', text: 'What browsers open', fallback: 'http://localhost:3000' },
  {
    flag: 'spa',
    setting: 'SPA_URL',
    text: 'The app: its dev server, or the folder of the built app',
    fallback: 'http://localhost:5173',
  },
]

/**
 * `coatcheck init`: asks for provider and API, or takes them from flags, writes `.env` with a new secret, says what to register, and runs doctor.
 *
 * @throws CommandError, UsageError
 */
export async function run(context: CommandContext): Promise<number> {
  const { values } = readArguments(context.arguments, { options: flags })
  const env = await answers(values, createAsk())
  write('.env', envText(env), values.force === true)
  context.print('Wrote .env; it holds secrets, so keep it out of version control.')
  for (const line of toRegister(env)) context.print(line)
  if (values['skip-doctor'] === true) return 0
  context.print('')
  return runDoctor({ ...context, arguments: [], env: { ...env, ...context.env } })
}

type Given = ReturnType<typeof readArguments<{ options: typeof flags }>>['values']

/** @throws UsageError for what no flag says when nobody can be asked */
async function answers(given: Given, ask: Ask | undefined): Promise<Environment> {
  const missing = questions.filter(
    ({ flag, fallback }) => given[flag] === undefined && fallback === undefined,
  )
  if (ask === undefined && (missing.length > 0 || given['client-secret-file'] === undefined)) {
    const names = [
      ...missing.map(({ flag }) => flag),
      ...(given['client-secret-file'] ? [] : ['client-secret-file']),
    ]
    throw new UsageError(`nobody can be asked here, so say ${names.map((name) => `--${name}`).join(', ')}`)
  }
  const env: Record<string, string> = {}
  try {
    for (const { flag, setting, text, fallback } of questions) {
      const answer = given[flag] ?? (await ask?.text(text, fallback)) ?? fallback ?? ''
      env[setting] = String(answer)
    }
    const file = given['client-secret-file']
    if (file === undefined) env.CLIENT_SECRET = (await ask?.secret('Client secret')) ?? ''
    else env.CLIENT_SECRET_FILE = file
  } finally {
    ask?.close()
  }
  return { ...forProvider(env), ...(given.redis === undefined ? {} : { REDIS_URL: given.redis }) }
}

/** What the kinds of providers need beside the answers; docs/providers.md has the rest. */
function forProvider(env: Readonly<Record<string, string>>): Environment {
  const { SPA_URL: spa = '', ISSUER_URL: issuer = '', API_AUDIENCE: audience = '', ...rest } = env
  const scope = 'openid profile email offline_access'
  const isAuth0 = /^https:\/\/[^/]+\.auth0\.com\/?$/.test(issuer)
  const special: Environment = /^https:\/\/login\.microsoftonline\.com\//.test(issuer)
    ? { AUDIENCE_PARAMETER: 'none', SCOPE: `${scope} api://${audience}/access_as_user` }
    : /\/realms\/[^/]+\/?$/.test(issuer)
      ? { AUDIENCE_PARAMETER: 'none', SCOPE: 'openid profile email' }
      : /\.okta(preview)?\.com/.test(issuer)
        ? { AUDIENCE_PARAMETER: 'none', SCOPE: scope }
        : { SCOPE: scope }
  return {
    // Auth0's ends in a slash, whatever the dashboard shows.
    ISSUER_URL: isAuth0 ? issuer.replace(/\/?$/, '/') : issuer,
    ...rest,
    API_AUDIENCE: audience,
    ...special,
    SESSION_SECRET: randomBytes(32).toString('base64url'),
    ...(/^https?:/.test(spa) ? { SPA_URL: spa } : { SPA_DIR: spa }),
  }
}

/** @throws CommandError */
function write(path: string, text: string, mayReplace: boolean): void {
  try {
    writeFileSync(path, text, { flag: mayReplace ? 'w' : 'wx', mode: 0o600 })
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    const why =
      code === 'EEXIST' ? 'is there already; --force replaces it' : `cannot be written (${String(code)})`
    throw new CommandError(`${path} ${why}`)
  }
}

function toRegister(env: Environment): readonly string[] {
  if (!URL.canParse(env.BASE_URL ?? '')) return []
  const addresses = addressesAtProvider({ baseUrl: new URL(env.BASE_URL ?? ''), authPrefix: '' })
  return [
    '',
    'Register at the provider, letter by letter:',
    `  callback URL         ${addresses.callback}`,
    `  logout URL           ${addresses.logout}`,
    `  back-channel logout  ${addresses.backchannelLogout}   (if the provider offers it)`,
  ]
}
