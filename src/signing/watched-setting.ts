import type { Logger } from '../telemetry/telemetry.ts'
import { type WatchedFile, watchFile } from './watched-file.ts'

/** A setting whose text may stand in a file, which may change while the gateway runs. */
export interface SettingSource<Content> {
  /** Its name, such as `CLIENT_KEY`. */
  readonly name: string
  /** What was read at the start; it parses. */
  readonly text: string
  /** By setting name: where it was read from by its `_FILE` form. */
  readonly settingFiles: Readonly<Record<string, string>> | undefined
  readonly parse: (text: string) => Content
  readonly log: Logger
}

/** What a setting holds: read again when its file changes, if it has one, and fixed otherwise. */
export function watchSetting<Content>(source: SettingSource<Content>): WatchedFile<Content> {
  const { name, text, settingFiles, parse, log } = source
  const path = settingFiles?.[name]
  if (path !== undefined) return watchFile({ name: `${name}_FILE`, path, parse, initialText: text, log })
  const content = parse(text)
  return { current: () => content }
}
