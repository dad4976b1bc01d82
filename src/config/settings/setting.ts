/** Turns the text of a setting into its value. @throws ValueFault when the text will not do */
export type Parser<Value> = (untrustedText: string) => Value

/** Why a text is not a value: the end of a sentence that begins with the setting's name. Never repeats the text, which may be a secret. */
export class ValueFault extends Error {
  override readonly name = 'ValueFault'
}

/** Whose a setting is: one value for the whole process, or one for each of its frontends (DESIGN-2 section 3). */
export type SettingScope = 'process' | 'frontend'

/** What is said about a setting, besides how it is parsed. */
export interface SettingFacts<Scope extends SettingScope = SettingScope> {
  /** Said of what belongs to the process; everything else is a frontend's. */
  readonly scope?: Scope
  /** One sentence for a person: what it decides. Markdown code spans are allowed. */
  readonly doc: string
  /** A value that works, as it would stand in `.env`. */
  readonly example: string
  readonly unit?: 'seconds' | 'seconds (m, h, d)' | 'bytes (kb, mb, gb)' | 'PEM text'
  /** Never shown by any command; also read from the file that `<NAME>_FILE` names. */
  readonly secret?: true
  /** Also read from the file that `<NAME>_FILE` names, although it is not secret. */
  readonly fileForm?: true
  /** How a secret setting may be shown nevertheless. */
  readonly mask?: (text: string) => string
  /** A second spelling that other programs read too; it wins where both are set. */
  readonly alsoAs?: string
  /** Names that people write instead of ours; they are warned about. */
  readonly mistakenFor?: readonly string[]
}

/** A row of the settings table. `Value` includes `undefined` when the setting may be left out. */
export interface Setting<Value, Scope extends SettingScope = SettingScope> extends SettingFacts {
  readonly scope: Scope
  readonly parse: Parser<Value>
  readonly required: boolean
  /** The text that is parsed when the setting is left out. */
  readonly defaultText: string | undefined
}

/** A group of settings, as help and documentation show them. */
export interface SettingGroup<Rows extends Readonly<Record<string, Setting<unknown>>>> {
  readonly title: string
  readonly intro?: string
  readonly rows: Rows
}

/** A setting without which the gateway does not start. */
export function required<Value, Scope extends SettingScope = 'frontend'>(
  parse: Parser<Value>,
  facts: SettingFacts<Scope>,
): Setting<Value, Scope> {
  return { ...facts, scope: scopeOf(facts), parse, required: true, defaultText: undefined }
}

/** A setting that may be left out: `undefined` then. */
export function optional<Value, Scope extends SettingScope = 'frontend'>(
  parse: Parser<Value>,
  facts: SettingFacts<Scope>,
): Setting<Value | undefined, Scope> {
  return { ...facts, scope: scopeOf(facts), parse, required: false, defaultText: undefined }
}

/** A setting with a default, written as text so that documentation and program can never disagree. */
export function withDefault<Value, Scope extends SettingScope = 'frontend'>(
  parse: Parser<Value>,
  defaultText: string,
  facts: SettingFacts<Scope>,
): Setting<Value, Scope> {
  return { ...facts, scope: scopeOf(facts), parse, required: false, defaultText }
}

/** The type parameter is `frontend` exactly where the fact is left out, which the compiler cannot know. */
function scopeOf<Scope extends SettingScope>({ scope = 'frontend' as Scope }: SettingFacts<Scope>): Scope {
  return scope
}

/** `SESSION_IDLE_TIMEOUT` → `sessionIdleTimeout`. */
export type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<Name>

/** The values of a table of settings, by camelCase name. */
export type ValuesOf<Rows> = {
  readonly [Name in keyof Rows & string as CamelCase<Name>]: Rows[Name] extends Setting<infer Value>
    ? Value
    : never
}

/** The rows that belong to the process, or to a frontend. */
export type RowsOf<Rows, Scope extends SettingScope> = {
  readonly [Name in keyof Rows as Rows[Name] extends Setting<infer _Value, Scope> ? Name : never]: Rows[Name]
}

/** The camelCase field of a setting; the value-level twin of {@link CamelCase}. */
export function fieldName(settingName: string): string {
  return settingName.toLowerCase().replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
}

/** All names that a setting may be given by, its own first. */
export function formsOf(name: string, setting: SettingFacts): readonly string[] {
  return [
    name,
    ...(hasFileForm(setting) ? [`${name}_FILE`] : []),
    ...(setting.alsoAs === undefined ? [] : [setting.alsoAs]),
  ]
}

/** Whether the setting may also be given as `<NAME>_FILE`. */
export function hasFileForm(setting: SettingFacts): boolean {
  return setting.secret === true || setting.fileForm === true
}
