/**
 * Folders whose files are built: where bundlers put what they name by its content. `.` is the folder of the app itself, where Angular and webpack
 * write. A name alone would not do (people give their pictures names that look like a hash), nor would a folder: most bundlers copy `public/assets`
 * into it as it is.
 */
export const usualBuildFolders: readonly string[] = [
  '.',
  'assets',
  'static',
  'media',
  'build',
  'js',
  'css',
  'img',
  'fonts',
  'chunks',
  '_app/immutable',
  '_next/static',
  '_nuxt',
  '_astro',
]

/** Next.js promises of all its built files that they never change; Turbopack's names are not to be told from words. */
const wholeFolder = '_next/static/'

/** The end of a file's name: the hash alone or behind a dot or hyphen, what webpack adds to chunks, the ending, and that of a map. */
const nameWithHash =
  /(?:^|[.-])(?<hash>[0-9a-f]{8,64}|[\w-]{8})(?:\.chunk)?\.(?<ending>[a-z0-9]{1,11})(?:\.map)?$/

/** webpack, Parcel. */
const hexadecimal = /^(?=.*\d)(?=.*[a-f])[0-9a-f]{8,64}$/

/** esbuild, and with it Angular: RFC 4648 base32. No script has a word in capitals for a name, as a picture may. */
const base32 = /^[A-Z2-7]{8}$/
const codeEnding = /^(?:m?js|css)$/

/** Rollup and Rolldown, and with them Vite, SvelteKit, Nuxt, Astro: base64url. Without both cases it could be a word. */
const base64url = /^(?=.*[a-z])(?=.*[A-Z])[\w-]{8}$/

/** Words, numbers and sizes as people write them: `summer2024`, `DarkMode`, `1024x1024`. */
const wordlike = /^(?:(?:[A-Z]?[a-z]+)*\d*|[A-Z]+\d*|\d+x\d+)$/

/**
 * Whether a file may be kept for ever: it lies in a folder of built files, and its name holds a hash of its content, so that another content
 * has another name. Where a hash happens to look like a word (about one in ten of Vite's), the file is revalidated, which costs a 304; the other
 * mistake would show an old picture for a year.
 *
 * @param path relative to the app's folder, with slashes, as the file is called on disk and without the ending of its compressed form
 * @param folders paths of folders without slashes at their ends; `.` for the app's own, whose subfolders do not count
 */
export function isImmutable(path: string, folders: readonly string[]): boolean {
  const end = path.lastIndexOf('/')
  const folder = end === -1 ? '.' : path.slice(0, end)
  const isBuilt = folders.some((built) => folder === built || folder.startsWith(`${built}/`))
  return isBuilt && (path.startsWith(wholeFolder) || isHashed(path.slice(end + 1)))
}

function isHashed(name: string): boolean {
  const { hash, ending } = nameWithHash.exec(name)?.groups ?? {}
  if (hash === undefined || ending === undefined) return false
  if (base32.test(hash) && codeEnding.test(ending)) return true
  if (hash.split(/[_-]/).every((part) => wordlike.test(part))) return false
  return hexadecimal.test(hash) || base32.test(hash) || base64url.test(hash)
}
