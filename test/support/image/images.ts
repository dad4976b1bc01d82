import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What an image says about how it is run, as far as the tests ask. */
export interface ImageConfig {
  readonly User: string
  readonly WorkingDir: string
  readonly Env: readonly string[]
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[] | null
  readonly ExposedPorts: Readonly<Record<string, object>>
  readonly Healthcheck?: { readonly Test: readonly string[] }
}

/** An image that was laid out as a folder. */
export interface Image {
  /** Its root file system on this machine. */
  readonly root: string
  readonly config: ImageConfig
}

/** A folder with the images that scripts/ci-image.sh has built; it runs these tests. */
const folder = process.env.COATCHECK_IMAGES

/** Without images there is nothing to try; the script says so, and so does the name of the test. */
export const areImagesLeftOut = folder === undefined

/** What a test of images is called. */
export const titleOf = (what: string): string =>
  areImagesLeftOut ? `${what} (left out: scripts/ci-image.sh builds it and runs this)` : what

/** An image by the stage of the Dockerfile that made it. */
export function openImage(stage: 'coatcheck' | 'demo'): Image {
  const at = join(folder ?? '', stage)
  const described = JSON.parse(readFileSync(`${at}.json`, 'utf8')) as { Docker: { config: ImageConfig } }
  return { root: readFileSync(`${at}.root`, 'utf8').trim(), config: described.Docker.config }
}
