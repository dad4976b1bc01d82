import { readFileSync } from 'node:fs'
import { TestKitError } from '../testing/test-kit-error.ts'
import { createTestSession } from '../testing/test-session.ts'
import type { TestUser } from '../testing/test-user.ts'
import { type CommandContext, CommandError, UsageError } from './command.ts'
import { readArguments } from './read-arguments.ts'

/** File descriptor of standard input. */
const standardInput = 0

/**
 * `coatcheck test-session`: what `createTestSession` does, for tests in other languages. Prints one JSON document.
 *
 * @throws UsageError, CommandError
 */
export async function run(context: CommandContext): Promise<number> {
  const { user, tokenFile } = readOptions(context.arguments)
  try {
    const accessToken = readToken(tokenFile)
    const session = await createTestSession({ env: context.env, user, accessToken })
    context.print(JSON.stringify(session))
    return 0
  } catch (error) {
    if (error instanceof TestKitError) throw new CommandError(error.message)
    throw error
  }
}

function readOptions(untrustedArguments: readonly string[]) {
  const options = { user: { type: 'string' }, 'access-token-file': { type: 'string' } } as const
  const { user, 'access-token-file': tokenFile } = readArguments(untrustedArguments, { options }).values
  if (user !== undefined && tokenFile !== undefined) return { user: readUser(user), tokenFile }
  throw new UsageError('test-session needs --user and --access-token-file')
}

/** A JSON object of claims, or just a `sub`. */
function readUser(untrusted: string): TestUser {
  if (!untrusted.startsWith('{')) return { sub: untrusted }
  try {
    return JSON.parse(untrusted) as TestUser
  } catch {
    throw new UsageError('--user is no JSON object')
  }
}

/** A file, or standard input for `-`: arguments can be read by every process of the machine. */
function readToken(file: string): string {
  try {
    return readFileSync(file === '-' ? standardInput : file, 'utf8').trim()
  } catch {
    throw new CommandError(`${file} cannot be read`)
  }
}
