import { examine } from '../doctor/examine.ts'
import { createLineWriter, renderCounts, renderTitle } from '../doctor/report.ts'
import { type CommandContext, UsageError } from './command.ts'
import { readVersion } from './version.ts'

/** How long somebody may take to sign in, milliseconds: finding a password included. */
const loginWaitMs = 300_000

interface Flags {
  readonly isLogin: boolean
  readonly isJson: boolean
}

/**
 * `coatcheck doctor`: checks the configuration against the live world, one line a check; with `--login` also what one real login brings,
 * with `--json` as one document for machines. Exit code 1 when something failed.
 *
 * @throws UsageError
 */
export async function run(context: CommandContext): Promise<number> {
  const { isLogin, isJson } = readFlags(context.arguments)
  const print = isJson ? () => undefined : context.print
  const lines = createLineWriter(print)
  const announce = (url: string): void => {
    lines.end()
    const line = `Open ${url} in a browser on this machine and sign in.`
    if (isJson) context.complain(line)
    else context.print(line)
  }
  const report = await examine({
    env: context.env,
    version: readVersion(),
    now: Date.now,
    desk: isLogin ? { announce, waitMs: loginWaitMs } : undefined,
    begin: (patient) => print(renderTitle(patient)),
    tell: (finding) => lines.write(finding),
  })
  lines.end()
  if (isJson) context.print(JSON.stringify(report, null, 2))
  print(renderCounts(report.counts))
  return report.ok ? 0 : 1
}

function readFlags(given: readonly string[]): Flags {
  const unknown = given.find((argument) => argument !== '--login' && argument !== '--json')
  if (unknown !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(unknown)}`)
  return { isLogin: given.includes('--login'), isJson: given.includes('--json') }
}
