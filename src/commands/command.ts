import type { Environment } from '../config/environment.ts'

/** What a command may use of the process. */
export interface CommandContext {
  /** What stands after the command's name. */
  readonly arguments: readonly string[]
  /** The environment, `.env` included. */
  readonly env: Environment
  /** Writes a line to standard output. */
  readonly print: (line: string) => void
  /** Writes a line to standard error. */
  readonly complain: (line: string) => void
  /** Whether a person reads standard output. */
  readonly isTerminal: boolean
  /** All commands, for help. */
  readonly commands: readonly Command[]
}

/** A command. Adding one is a file and a row in `commands.ts`. */
export interface Command {
  readonly name: string
  /** What stands after the name in help. */
  readonly usage?: string
  /** One line of help. */
  readonly summary: string
  /** What `coatcheck <name> --help` says besides, line by line. */
  readonly details?: readonly string[]
  /** Loads the command only when it is asked for, so that `--version` loads no server. Resolves to the exit code. */
  readonly load: () => Promise<{ readonly run: (context: CommandContext) => Promise<number> }>
}

/** Something that a command cannot do, said in one line; exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** A command line that means nothing; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Refuses arguments of a command that takes none. @throws UsageError */
export function expectNoArguments(context: Pick<CommandContext, 'arguments'>): void {
  const [first] = context.arguments
  if (first !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(first)}`)
}
