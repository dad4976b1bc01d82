import { cp, mkdir, writeFile } from 'node:fs/promises'
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
  readonly users: readonly { readonly name: string; readonly email: string; readonly description: string }[]
  /** The provider's page that ends its session for every app. */
  readonly providerLogoutUrl: string
}

/** Fills a folder with the demo's page: the files as they are, and the facts as `demo.json`. The browser helper is the gateway's own. */
export async function fillSpaFolder(folder: string, facts: SpaFacts): Promise<void> {
  await mkdir(folder, { recursive: true })
  await cp(join(import.meta.dirname, 'spa'), folder, { recursive: true })
  await writeFile(join(folder, 'demo.json'), JSON.stringify(facts))
}
