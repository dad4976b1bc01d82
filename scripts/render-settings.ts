import { hasFileForm, type Setting } from '../src/config/settings/setting.ts'
import { settingGroups } from '../src/config/settings/settings.ts'

const nextLine = '\n'

/** `.env.example`: required settings to fill in, all others commented out with their default or an example. Secrets stay empty. */
export function renderEnvExample(): string {
  const lines = [
    '# Settings of Coatcheck, rendered from its settings table (npm run docs). Copy to .env and fill in.',
    '# docs/configuration.md explains them. Variables of the environment win over this file.',
  ]
  for (const { title, rows } of settingGroups) {
    lines.push('', `## ${title}`)
    for (const [name, setting] of Object.entries(rows)) lines.push('', ...exampleLines(name, setting))
  }
  return lines.join(nextLine) + nextLine
}

/** What stands ready to be filled in although it is not required alone: one of two alternatives. */
const usualChoices: ReadonlySet<string> = new Set(['API_AUDIENCE', 'API_URL'])

function exampleLines(name: string, setting: Setting<unknown>): readonly string[] {
  const doc = `# ${setting.doc.replaceAll('`', '')}${setting.unit === undefined ? '' : ` (${setting.unit})`}`
  if (setting.required || usualChoices.has(name)) {
    return [doc, `${name}=${setting.secret === true ? '' : quote(setting.example)}`]
  }
  if (setting.unit === 'PEM text') return [doc, `#${name}_FILE=${setting.example}`]
  if (setting.secret === true && setting.mask === undefined) return [doc, `#${name}=`]
  return [doc, `#${name}=${quote(setting.defaultText ?? setting.example)}`]
}

/** In `.env` a value with blanks or `#` needs quotes. */
function quote(text: string): string {
  return /[\s#']/.test(text) ? `"${text}"` : text
}

/** `docs/configuration.md`. */
export function renderConfigurationPage(schema: Readonly<Record<string, unknown>>): string {
  const groups = settingGroups.flatMap(({ title, intro, rows }) => [
    `## ${title}`,
    '',
    ...(intro === undefined ? [] : [intro, '']),
    '| Setting | Default | Of | What it decides |',
    '|---|---|---|---|',
    ...Object.entries(rows).map(([name, setting]) => settingRow(name, setting)),
    '',
  ])
  return [...introduction, ...groups, ...routesFilePart(schema)].join(nextLine) + nextLine
}

const introduction = [
  '# Configuration',
  '',
  '<!-- Rendered from src/config by scripts/render-docs.ts (npm run docs). Do not edit. -->',
  '',
  'Settings are environment variables. `coatcheck` also reads `.env` of the working directory when there is one; real variables',
  'win, even empty ones. An empty variable counts as unset. Everything that is wrong is reported at once, and no message ever',
  'repeats a value. A variable that nearly matches a setting is warned about by name.',
  '',
  'Durations are whole seconds. Sizes are bytes, or text such as `512kb`, `10mb`, `1gb` (powers of 1,024). Settings marked † may',
  'instead be given as `NAME_FILE`, the path of a file that holds the value. `coatcheck config` shows what is in effect, secrets',
  'masked; `coatcheck secret` makes a `SESSION_SECRET`.',
  '',
  'The third column says whose a setting is: there is one value of it in a process, or each frontend has its own where a process has several.',
  '',
]

function settingRow(name: string, setting: Setting<unknown>): string {
  const mark = hasFileForm(setting) ? ' †' : ''
  const unit = setting.unit === undefined ? '' : ` In ${setting.unit}.`
  const example =
    setting.secret === true && setting.mask === undefined ? '' : ` Example: \`${exampleOf(name, setting)}\``
  return `| \`${name}\`${mark} | ${presence(setting)} | ${setting.scope} | ${cell(`${setting.doc}${unit}${example}`)} |`
}

function exampleOf(name: string, setting: Setting<unknown>): string {
  return setting.unit === 'PEM text' ? `${name}_FILE=${setting.example}` : setting.example
}

function presence({ required, defaultText }: Setting<unknown>): string {
  if (required) return '**required**'
  return defaultText === undefined || defaultText === '' ? '' : `\`${cell(defaultText)}\``
}

/** Text within a table cell: a bar would end it. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function member(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, name) : undefined),
    value,
  )
}

function propertyRows(schema: unknown, prefix = ''): readonly string[] {
  const required = member(schema, 'required')
  return Object.entries(member(schema, 'properties') ?? {}).flatMap(([name, property]: [string, unknown]) => {
    const isRequired = Array.isArray(required) && required.includes(name)
    const doc = String(member(property, 'description') ?? '')
    const row = `| \`${prefix}${name}\`${isRequired ? ' (required)' : ''} | ${cell(doc)} |`
    return [row, ...propertyRows(property, `${prefix}${name}.`)]
  })
}

function routesFilePart(schema: unknown): readonly string[] {
  return [
    '## The routes file',
    '',
    '`ROUTES_FILE` names a YAML or JSON file. The longest prefix wins; prefixes compare byte by byte, and two that differ in case only',
    'are refused. Unknown keys are refused; every fault is reported with its line. Editors that are told the',
    '[JSON Schema](routes-file.schema.json) complete it: the first line names it as seen from beside `node_modules`; in a clone it is `./docs/routes-file.schema.json`.',
    '',
    '```yaml',
    '# yaml-language-server: $schema=./node_modules/coatcheck/docs/routes-file.schema.json',
    ...routesExample,
    '```',
    '',
    '| Key of a route | Meaning |',
    '|---|---|',
    ...propertyRows(member(schema, 'properties', 'routes', 'items')),
    '',
  ]
}

/** The example of the page; a test loads it. */
export const routesExample = [
  'routes:',
  '  - prefix: /api',
  '    upstream: http://orders:8080/v1',
  '  - prefix: /api/files',
  '    upstream: https://files.internal.example.com',
  '    audience: https://files.example.com',
  '    bodyLimit: 2gb',
  '    firstByteTimeout: 120',
  '    allowRedirectHosts: [storage.example.com]',
  '  - prefix: /public',
  '    upstream: http://catalogue:8080',
  '    auth: none',
  '    methods: [GET, HEAD]',
]
