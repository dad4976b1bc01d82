import { readFileSync } from 'node:fs'
import { type CommandContext, expectNoArguments } from './command.ts'

/** `coatcheck version`: prints the version of the package. */
export async function run(context: CommandContext): Promise<number> {
  expectNoArguments(context)
  context.print(readVersion())
  return 0
}

/** The version in package.json, which lies as far from `src/commands` as from `dist/commands`. */
export function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const version: unknown =
    typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : undefined
  return typeof version === 'string' ? version : 'unknown'
}
