import { ConfigError } from '../config/config-error.ts'
import { editDistance } from '../config/edit-distance.ts'
import { type Command, type CommandContext, CommandError, UsageError } from './command.ts'
import { commands } from './commands.ts'

/** What the process offers; `arguments` still with the command's name. */
export type MainContext = Omit<CommandContext, 'env' | 'commands'> & {
  /** Read only for a command that runs, so that `.env` cannot break `--help`. */
  readonly readEnv: () => CommandContext['env']
}

/** A misspelt command is at most this many letters away from the one that was meant. */
const misspellingLimit = 2

const flags: Readonly<Record<string, string>> = {
  '--help': 'help',
  '-h': 'help',
  '--version': 'version',
  '-v': 'version',
}

/** Commands that say something about the program alone. */
const withoutEnvironment: ReadonlySet<string> = new Set(['help', 'version', 'secret'])

/** Runs what the command line asks for. Resolves to the exit code; every foreseen failure is one line on standard error. */
export async function main(context: MainContext): Promise<number> {
  try {
    const { command, rest } = chooseCommand(context.arguments)
    const { run } = await command.load()
    const env = withoutEnvironment.has(command.name) ? {} : context.readEnv()
    return await run({ ...context, arguments: rest, env, commands })
  } catch (error) {
    return explain(error, context.complain)
  }
}

function chooseCommand(untrustedArguments: readonly string[]): {
  readonly command: Command
  readonly rest: readonly string[]
} {
  const isHelp = untrustedArguments.some((argument) => argument === '--help' || argument === '-h')
  const about = commands.find(({ name }) => isHelp && name === untrustedArguments[0])
  const [first = commands[0].name, ...rest] = isHelp
    ? ['help', ...(about === undefined ? [] : [about.name])]
    : untrustedArguments
  const name = Object.hasOwn(flags, first) ? flags[first] : first
  const command = commands.find((candidate) => candidate.name === name)
  if (command === undefined) throw new UsageError(describeUnknown(first))
  return { command, rest }
}

function describeUnknown(first: string): string {
  const kind = first.startsWith('-') ? 'flag' : 'command'
  const known = [
    ...commands.map(({ name }) => name),
    ...Object.keys(flags).filter((flag) => flag.startsWith('--')),
  ]
  const meant = known.find((name) => editDistance(first, name, misspellingLimit) <= misspellingLimit)
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`
  return `unknown ${kind} ${JSON.stringify(first)}${hint}`
}

function explain(error: unknown, complain: (line: string) => void): number {
  if (error instanceof ConfigError) {
    for (const line of error.message.split('\n')) complain(`coatcheck: ${line}`)
    return 1
  }
  if (error instanceof CommandError) {
    complain(`coatcheck: ${error.message}`)
    return 1
  }
  if (error instanceof UsageError) {
    complain(`coatcheck: ${error.message} (coatcheck --help shows what there is)`)
    return 2
  }
  throw error
}
