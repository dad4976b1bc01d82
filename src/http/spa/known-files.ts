import { createHash } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'

interface KnownFile {
  readonly version: string
  readonly isWithin: Promise<boolean>
  readonly fingerprint: Promise<number>
}

/** More paths than an app has files: only links that lead in a circle give a file endless names. */
const maxFiles = 20_000

/** As many bits as the library's validator takes. */
const fingerprintBytes = 6

/**
 * What is known of the app's files, found out again when a file has changed: another inode, or a time of change that nobody can set. Two builds
 * can have files of one size and one date (reproducible builds date everything alike), so the content is what a validator is made of.
 */
export class KnownFiles {
  readonly #files = new Map<string, KnownFile>()
  readonly #folder: string

  /** @param folder absolute path */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** Whether there is such a file in the folder. Never rejects. */
  async isFile(untrustedPath: string): Promise<boolean> {
    const path = join(this.#folder, untrustedPath)
    if (untrustedPath.includes('\0') || relative(this.#folder, path).startsWith('..')) return false
    return stat(path)
      .then((found) => found.isFile() && this.isWithin(path, found))
      .catch(() => false)
  }

  /**
   * Whether a file lies in the folder once symbolic links are followed: those within it are how Kubernetes mounts files, while one that leads
   * out of it would publish what is there.
   */
  isWithin(path: string, stat: Stats): Promise<boolean> {
    return this.#known(path, stat).isWithin
  }

  /**
   * A number of 48 bits made of the content.
   *
   * @throws Error when the file cannot be read
   */
  fingerprint(path: string, stat: Stats): Promise<number> {
    return this.#known(path, stat).fingerprint
  }

  #known(path: string, { dev, ino, size, ctimeMs }: Stats): KnownFile {
    const version = [dev, ino, size, ctimeMs].join()
    const known = this.#files.get(path)
    if (known?.version === version) return known
    if (this.#files.size >= maxFiles) this.#files.clear()
    const isWithin = liesWithin(this.#folder, path)
    const found = { version, isWithin, fingerprint: fingerprintOf(path) }
    this.#files.set(path, found)
    // What could not be found out is asked again.
    found.isWithin.catch(() => this.#files.delete(path))
    found.fingerprint.catch(() => this.#files.delete(path))
    return found
  }
}

async function liesWithin(folder: string, path: string): Promise<boolean> {
  const [file, real] = await Promise.all([realpath(path), realpath(folder)])
  return file.startsWith(real.endsWith(sep) ? real : `${real}${sep}`)
}

async function fingerprintOf(path: string): Promise<number> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest().readUIntBE(0, fingerprintBytes)
}
