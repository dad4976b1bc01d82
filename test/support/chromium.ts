import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Where Debian, Ubuntu and the Playwright images keep a Chromium. */
const usualPlaces = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Quiet and self-contained: no sandbox in containers, no traffic of its own. */
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * Starts the Chromium of this machine; `CHROMIUM_PATH` names another one.
 *
 * @throws Error when there is none
 */
export async function launchChromium(extraFlags: readonly string[] = []): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? usualPlaces.find((place) => existsSync(place))
  if (executablePath === undefined)
    throw new Error('no Chromium: install the package chromium, or set CHROMIUM_PATH')
  return chromium.launch({ executablePath, args: [...flags, ...extraFlags] })
}
