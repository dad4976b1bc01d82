import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'

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
  return chromium.launch({ executablePath: findChromium(), args: [...flags, ...extraFlags] })
}

/**
 * Starts the same with a profile of its own, and with nothing switched off but what the flags say: a browser binds no session to its device
 * in private windows, nor with the flags that test drivers usually add.
 *
 * @param folder of the profile
 * @throws Error when there is no Chromium
 */
export async function launchChromiumProfile(
  folder: string,
  extraFlags: readonly string[] = [],
): Promise<BrowserContext> {
  const own = [`--user-data-dir=${folder}`, '--remote-debugging-pipe']
  const args = [...flags, ...own, ...extraFlags]
  return chromium.launchPersistentContext(folder, {
    executablePath: findChromium(),
    ignoreDefaultArgs: true,
    args,
  })
}

function findChromium(): string {
  const path = process.env.CHROMIUM_PATH ?? usualPlaces.find((place) => existsSync(place))
  if (path === undefined) throw new Error('no Chromium: install the package chromium, or set CHROMIUM_PATH')
  return path
}
