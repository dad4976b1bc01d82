import { randomBytes } from 'node:crypto'
import { type CommandContext, expectNoArguments } from '../command.ts'

/** 256 bits, the strength of the keys that are derived from it. */
const secretBytes = 32

/** `coatcheck secret`: prints a new secret and nothing else, so that it can be piped into a file. */
export async function run(context: CommandContext): Promise<number> {
  expectNoArguments(context)
  context.print(randomBytes(secretBytes).toString('base64url'))
  return 0
}
