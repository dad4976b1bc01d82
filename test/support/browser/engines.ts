import { isFirefoxLeftOut, launchFirefox } from './firefox.ts'
import type { DrivenBrowser, DrivenBrowserOptions } from './tab.ts'
import { isWebKitLeftOut, launchWebKit } from './webkit.ts'

/** A browser engine that is not Chromium's. */
export interface Engine {
  readonly name: string
  /** It is not installed; in CI that is a failure. */
  readonly isLeftOut: boolean
  launch(options?: DrivenBrowserOptions): Promise<DrivenBrowser>
}

/** All of them. */
export const engines: readonly Engine[] = [
  { name: 'Firefox', isLeftOut: isFirefoxLeftOut, launch: launchFirefox },
  { name: 'WebKit', isLeftOut: isWebKitLeftOut, launch: launchWebKit },
]

/** What a test of an engine is called. */
export const titleOf = ({ name, isLeftOut }: Engine): string =>
  isLeftOut ? `in ${name} (left out: it is not installed)` : `in ${name}`
