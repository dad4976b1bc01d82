import type { ConfigFiles } from '../environment.ts'

/** What was read, so that the same can be read once more, by another process or after the files have changed. */
export interface NotedReads {
  /** Texts by path; `null`: could not be read. */
  readonly texts: Readonly<Record<string, string | null>>
  readonly folders: Readonly<Record<string, readonly string[]>>
}

/** Reads through to `files` and notes everything. */
export function noteReads(files: ConfigFiles): { readonly files: ConfigFiles; reads(): NotedReads } {
  const texts: Record<string, string | null> = {}
  const folders: Record<string, readonly string[]> = {}
  return {
    files: {
      readFile(path) {
        texts[path] = null
        const text = files.readFile(path)
        texts[path] = text
        return text
      },
      listFolder(path) {
        const names = files.listFolder?.(path) ?? []
        folders[path] = names
        return names
      },
    },
    reads: () => ({ texts, folders }),
  }
}

/** The files as they were when they were noted. */
export function filesAsNoted({ texts, folders }: NotedReads): ConfigFiles {
  return {
    readFile(path) {
      const text = Object.hasOwn(texts, path) ? texts[path] : undefined
      if (typeof text !== 'string') throw new Error('could not be read then')
      return text
    },
    listFolder: (path) => (Object.hasOwn(folders, path) ? (folders[path] ?? []) : []),
  }
}
