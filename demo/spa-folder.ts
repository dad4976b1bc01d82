import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

/** What the demo's page is told about its surroundings; none of it is secret. */
export interface SpaFacts {
  /** The gateway that asks for the API's audience. */
  readonly url: string
  /** The gateway that asks for none. */
  readonly withoutAudienceUrl: string
  /** Which of the two serves this page. */
  readonly sendsAudience: boolean
  readonly audience: string
  readonly users: readonly { readonly name: string; readonly description: string }[]
  /** The provider's page that ends its session for every app. */
  readonly providerLogoutUrl: string
}

/**
 * Fills a folder with the demo's page: the files as they are, the browser helper `coatcheck/client` with its types stripped, and the
 * facts as `demo.json`. There is no build step besides.
 */
export async function fillSpaFolder(folder: string, facts: SpaFacts): Promise<void> {
  await mkdir(folder, { recursive: true })
  await cp(join(import.meta.dirname, 'spa'), folder, { recursive: true })
  await writeBrowserHelper(join(folder, 'coatcheck'))
  await writeFile(join(folder, 'demo.json'), JSON.stringify(facts))
}

async function writeBrowserHelper(folder: string): Promise<void> {
  const sources = join(import.meta.dirname, '..', 'src', 'client')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  const names = (await readdir(sources)).filter((name) => name.endsWith('.ts'))
  await Promise.all(
    names.map(async (name) => {
      const script = stripTypeScriptTypes(await readFile(join(sources, name), 'utf8'))
      await writeFile(
        join(folder, name.replace(/ts$/, 'js')),
        script.replace(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'"),
      )
    }),
  )
}
