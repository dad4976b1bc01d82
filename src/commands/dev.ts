import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { startAppCommands } from '../dev/app-commands.ts'
import { audiencesOf, banner } from '../dev/banner.ts'
import type { Dev } from '../dev/dev.ts'
import type { DemoUser } from '../dev/provider/options.ts'
import { type CommandContext, CommandError, UsageError } from './command.ts'
import { readArguments } from './read-arguments.ts'
import { describeListenError } from './running/serve.ts'

const flags = {
  api: { type: 'string' },
  spa: { type: 'string' },
  port: { type: 'string' },
  users: { type: 'string' },
} as const

/**
 * `coatcheck dev`: a test provider, the gateway and the app's own programs, in one command. Resolves when somebody stops it, or when one of
 * the programs has ended.
 *
 * @throws ConfigError, CommandError, UsageError
 */
export async function run(context: CommandContext): Promise<number> {
  const { values, positionals } = readArguments(context.arguments, {
    options: flags,
    allowPositionals: true,
  })
  const port = values.port === undefined ? undefined : readPort(values.port)
  const users = values.users === undefined ? undefined : readUsers(values.users)
  const { startDev } = await loadDev()
  const dev = await startDev(context.env, { apiUrl: values.api, spaUrl: values.spa, port }, users).catch(
    (error: unknown) => {
      throw describeListenError(error)
    },
  )
  for (const line of banner(dev)) context.print(line)
  const programs = startAppCommands(positionals, { ...process.env, ...environmentOf(dev) }, context.print)
  const signals = new AbortController()
  const reason = await Promise.race([
    ...(['SIGINT', 'SIGTERM'] as const).map((signal) =>
      once(process, signal, { signal: signals.signal }).then(() => undefined),
    ),
    programs.ended,
  ])
  await programs.stop()
  await dev.stop()
  if (reason === undefined) return 0
  throw new CommandError(
    `"${reason.command}" has ended (${reason.code ?? 'by a signal'}), so all of it was stopped`,
  )
}

function readPort(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UsageError('--port wants a number from 1 to 65535')
  return port
}

const usersSchema = z
  .array(
    z.strictObject({
      id: z.string().min(1),
      name: z.string().min(1),
      email: z.string().min(3),
      description: z.string().optional(),
      permissions: z.record(z.string(), z.array(z.string())).default({}),
    }),
  )
  .min(1)

/** @throws CommandError */
function readUsers(path: string): readonly DemoUser[] {
  try {
    return usersSchema.parse(JSON.parse(readFileSync(path, 'utf8'))) as readonly DemoUser[]
  } catch (error) {
    const what = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
    throw new CommandError(
      `${path} is no list of users: ${what}\nExample: [{"id":"u1","name":"Ada","email":"ada@example.com","permissions":{"https://api.example.com":["read:orders"]}}]`,
    )
  }
}

/** The provider's library is no part of a production installation. */
async function loadDev(): Promise<typeof import('../dev/dev.ts')> {
  try {
    return await import('../dev/dev.ts')
  } catch (error) {
    if (!String(error).includes("'oidc-provider'")) throw error
    throw new CommandError(
      'the test provider needs a library that production does not: npm install --save-dev oidc-provider',
    )
  }
}

/** What the app's programs are told, by the names that their own settings may have. */
function environmentOf({ config, provider }: Dev): Readonly<Record<string, string>> {
  const [audience] = audiencesOf(config.routes)
  return {
    ISSUER_URL: provider.issuer,
    API_AUDIENCE: audience ?? '',
    BASE_URL: config.baseUrl.origin,
  }
}
