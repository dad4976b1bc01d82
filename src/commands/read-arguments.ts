import { type ParseArgsConfig, parseArgs } from 'node:util'
import { UsageError } from './command.ts'

/**
 * Reads the arguments of a command. An option that takes a text takes the argument after it also where that begins with a hyphen, as one in
 * sixty-four of the references, session ids and secrets do that are pasted here, unless it is the name of another option.
 *
 * @param untrustedArguments - what stands after the command's name
 * @param config - `options` and `allowPositionals` of `node:util`'s `parseArgs`
 * @throws UsageError that says in one sentence what cannot be read
 */
export function readArguments<const Config extends Omit<ParseArgsConfig, 'args'>>(
  untrustedArguments: readonly string[],
  config: Config,
): ReturnType<typeof parseArgs<Config & { args: string[] }>> {
  try {
    return parseArgs({ ...config, args: withJoinedValues(untrustedArguments, config.options ?? {}) })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // The first sentence says what is wrong; the others explain the parser.
    throw new UsageError(error.message.split(/\.\s/)[0] ?? 'the options cannot be read')
  }
}

function withJoinedValues(given: readonly string[], options: NonNullable<ParseArgsConfig['options']>) {
  const joined: string[] = []
  for (let at = 0; at < given.length; at++) {
    const argument = given[at] ?? ''
    if (argument === '--') return [...joined, ...given.slice(at)]
    const value = given[at + 1]
    if (takesText(argument, options) && value !== undefined && isHyphenated(value, options)) {
      joined.push(`${argument}=${value}`)
      at += 1
    } else joined.push(argument)
  }
  return joined
}

function takesText(argument: string, options: NonNullable<ParseArgsConfig['options']>): boolean {
  return argument.startsWith('--') && options[argument.slice(2)]?.type === 'string'
}

function isHyphenated(value: string, options: NonNullable<ParseArgsConfig['options']>): boolean {
  if (!value.startsWith('-') || value === '-' || value === '--') return false
  return !(value.startsWith('--') && Object.hasOwn(options, value.slice(2).split('=')[0] ?? ''))
}
