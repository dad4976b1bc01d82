import { readFileSync, statSync } from 'node:fs'
import type { Logger } from '../telemetry/telemetry.ts'

/** What a file holds, read again when the file has changed. */
export interface WatchedFile<Content> {
  /** What is in force: one look at the file's state, and no more as long as that is the same. Never throws. */
  current(): Content
}

/** What {@link watchFile} needs. */
export interface WatchOptions<Content> {
  /** The setting that names the file, for the log. */
  readonly name: string
  readonly path: string
  /** Makes content of the text. Throws when it will not do, with a message that may be logged. */
  readonly parse: (text: string) => Content
  /** What was read at the start; it parses. */
  readonly initialText: string
  readonly log: Logger
}

/** The longest text that is taken: keys and tokens are a few kilobytes, characters. */
const longestText = 256 * 1_024

/**
 * Keeps what a file holds. It is looked at when it is used, not watched: mounted secrets are changed by renaming folders, which watchers
 * miss. A file that has become unreadable or wrong leaves the old content in force, and is logged once.
 */
export function watchFile<Content>(options: WatchOptions<Content>): WatchedFile<Content> {
  const { name, path, parse, log } = options
  let text = options.initialText
  let content = parse(text)
  // Of no file: it may have changed since it was read at the start.
  let seen = ''

  function readAgain(): void {
    try {
      const found = readText(path)
      if (found === text) return
      content = parse(found)
      text = found
      log.info({ setting: name }, 'a changed file was taken up')
    } catch (error) {
      log.error(
        { setting: name, reason: reasonOf(error) },
        'a changed file is of no use: the old content stays',
      )
    }
  }

  return {
    current() {
      const state = stateOf(path)
      if (state !== seen) {
        seen = state
        readAgain()
      }
      return content
    },
  }
}

function readText(path: string): string {
  const text = readFileSync(path, 'utf8').trim()
  if (text === '') throw new Error('is empty')
  if (text.length > longestText) throw new Error('is too large')
  return text
}

/** What changes when a file does: another file of the name, another time, another size. */
function stateOf(path: string): string {
  try {
    const { ino, mtimeNs, size } = statSync(path, { bigint: true })
    return `${ino}:${mtimeNs}:${size}`
  } catch {
    return 'unreadable'
  }
}

/** The codes of the operating system and our own words; never its messages, which name paths. */
function reasonOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (typeof code === 'string') return code
  return error instanceof Error ? error.message : 'unknown'
}
