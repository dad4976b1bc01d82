import { hasFileForm, type Setting } from '../config/settings/setting.ts'
import { settingGroups } from '../config/settings/settings.ts'
import { type Command, type CommandContext, UsageError } from './command.ts'
import { readVersion } from './version.ts'

/** Lines stay readable on the narrowest usual terminal. */
const lineWidth = 80

/**
 * `coatcheck help`: the commands. `coatcheck help settings`: the settings. `coatcheck help <command>`: what one command takes. All from
 * their tables.
 *
 * @throws UsageError
 */
export async function run({ commands, arguments: [about, extra], print }: CommandContext): Promise<number> {
  const command = commands.find(({ name }) => name === about)
  const isSettings = about === 'settings'
  if (extra !== undefined || (about !== undefined && command === undefined && !isSettings)) {
    throw new UsageError(`unexpected argument ${JSON.stringify(extra ?? about)}`)
  }
  if (isSettings) print(renderSettings())
  else print(command === undefined ? renderHelp(commands) : renderCommand(command))
  return 0
}

function renderCommand({ name, usage, summary, details }: Command): string {
  const call = ['coatcheck', name, usage].filter((part) => part !== undefined).join(' ')
  return [`Usage: ${call}`, '', summary, ...(details === undefined ? [] : ['', ...details])].join('\n')
}

/** The commands. */
function renderHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name, usage }) => `${name} ${usage ?? ''}`.length))
  return [
    `coatcheck ${readVersion()}: a Backend-for-Frontend gateway`,
    '',
    'Usage: coatcheck [command]',
    '       coatcheck <command> --help',
    '',
    ...commands.map(({ name, usage, summary }) => `  ${`${name} ${usage ?? ''}`.padEnd(width)}  ${summary}`),
    '',
    'Settings come from environment variables; .env of the working directory is read when it',
    'is there, and real variables win. "coatcheck help settings" lists them.',
  ].join('\n')
}

/** Every setting. */
function renderSettings(): string {
  return [
    'Settings come from environment variables; .env of the working directory is read when it',
    'is there, and real variables win. NAME_FILE names a file that holds the value.',
    ...settingGroups.flatMap(({ title, rows }) => [
      '',
      `${title}:`,
      ...Object.entries(rows).flatMap(([name, setting]) => describeSetting(name, setting)),
    ]),
  ].join('\n')
}

function describeSetting(name: string, setting: Setting<unknown>): readonly string[] {
  const names = hasFileForm(setting) ? `${name}, ${name}_FILE` : name
  return [`  ${names}${describePresence(setting)}`, ...wrap(setting.doc.replaceAll('`', ''), '      ')]
}

function describePresence({ required, defaultText, unit }: Setting<unknown>): string {
  const inUnit = unit === undefined ? '' : `, ${unit}`
  if (required) return ` (required${inUnit})`
  return defaultText === undefined || defaultText === ''
    ? ` (optional${inUnit})`
    : ` (default ${defaultText}${inUnit})`
}

function wrap(sentence: string, indent: string): readonly string[] {
  const lines: string[] = []
  let line = indent
  for (const word of sentence.split(' ')) {
    if (line.length + word.length > lineWidth && line !== indent) {
      lines.push(line.trimEnd())
      line = indent
    }
    line += `${word} `
  }
  return [...lines, line.trimEnd()]
}
