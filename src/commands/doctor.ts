import { ConfigError } from '../config/config-error.ts'
import type { Config } from '../config/load-config.ts'
import { examine } from '../doctor/examine.ts'
import { createLineWriter, type DoctorReport, renderCounts, renderTitle } from '../doctor/report.ts'
import { chosenConfigs, takeFrontend } from './chosen-config.ts'
import { type CommandContext, UsageError } from './command.ts'
import { readVersion } from './version.ts'

/** How long somebody may take to sign in, milliseconds: finding a password included. */
const loginWaitMs = 300_000

interface Flags {
  readonly isLogin: boolean
  readonly isJson: boolean
  readonly isFront: boolean
}

/**
 * `coatcheck doctor`: checks the configuration against the live world, one line a check; with `--login` also what one real login brings,
 * with `--front` only what happens to a browser's request on its way here, with `--json` as one document for machines. Exit code 1 when something failed.
 *
 * @throws UsageError
 */
export async function run(context: CommandContext): Promise<number> {
  const { frontend, rest } = takeFrontend(context.arguments)
  const flags = readFlags(rest)
  const subjects = subjectsOf(context, frontend)
  const reports: [string | undefined, DoctorReport][] = []
  for (const { name, load } of subjects) {
    if (name !== undefined && !flags.isJson) context.print(`Frontend ${name}`)
    reports.push([name, await examineOne(context, flags, load)])
  }
  if (flags.isJson) context.print(JSON.stringify(documentOf(reports), null, 2))
  return reports.every(([, { ok }]) => ok) ? 0 : 1
}

/** What is examined: one gateway, or each frontend of the file; a file with faults is one subject, which shows them. */
function subjectsOf(
  { env }: CommandContext,
  frontend: string | undefined,
): readonly { readonly name: string | undefined; readonly load: () => Config }[] {
  try {
    return chosenConfigs(env, frontend).map((config) => ({ name: config.frontend, load: () => config }))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const load = (): Config => {
      throw error
    }
    return [{ name: undefined, load }]
  }
}

/** One report as it is, several by the names of their frontends. */
function documentOf(reports: readonly [string | undefined, DoctorReport][]): unknown {
  const [first] = reports
  if (first?.[0] === undefined) return first?.[1]
  const ok = reports.every(([, report]) => report.ok)
  return { schema: 1, ok, frontends: Object.fromEntries(reports) }
}

async function examineOne(
  context: CommandContext,
  { isLogin, isJson, isFront }: Flags,
  load: () => Config,
): Promise<DoctorReport> {
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
    load,
    version: readVersion(),
    now: Date.now,
    isFrontOnly: isFront,
    desk: isLogin ? { announce, waitMs: loginWaitMs } : undefined,
    begin: (patient) => print(renderTitle(patient)),
    tell: (finding) => lines.write(finding),
  })
  lines.end()
  print(renderCounts(report.counts))
  return report
}

const knownFlags = new Set(['--login', '--json', '--front'])

function readFlags(given: readonly string[]): Flags {
  const unknown = given.find((argument) => !knownFlags.has(argument))
  if (unknown !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(unknown)}`)
  const has = (flag: string): boolean => given.includes(flag)
  return { isLogin: has('--login'), isJson: has('--json'), isFront: has('--front') }
}
