import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { findCommand } from '../commands.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../ports.ts'
import type { DrivenBrowser, DrivenBrowserOptions } from './tab.ts'
import { openWebDriverSession } from './webdriver.ts'

const driver = findCommand('WebKitWebDriver')
const display = findCommand('Xvfb')

/** Without WebKitGTK's driver, or a display for its window, the rest of the suite still runs; CI installs both. */
export const isWebKitLeftOut = (driver === undefined || display === undefined) && process.env.CI === undefined

/**
 * Starts WebKitGTK's own small browser on a display that nobody sees, and drives it by WebDriver.
 *
 * @throws Error when driver or display are missing
 */
export async function launchWebKit({ httpsProxy }: DrivenBrowserOptions = {}): Promise<DrivenBrowser> {
  if (driver === undefined || display === undefined)
    throw new Error('no WebKit: install webkit2gtk-driver and xvfb')
  const home = await mkdtemp(join(tmpdir(), 'coatcheck-webkit-'))
  const screen = spawn(display, ['-displayfd', '3', '-screen', '0', '1024x768x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const port = await freePort()
  const env = {
    ...process.env,
    DISPLAY: `:${await numberOf(screen)}`,
    HOME: home,
    XDG_DATA_HOME: home,
    // WebDriver's own setting would have it speak TLS to the proxy.
    ...(httpsProxy === undefined ? {} : { https_proxy: `http://${httpsProxy}` }),
  }
  const server = spawn(driver, [`--port=${port}`, '--host=127.0.0.1'], { env, stdio: 'ignore' })
  const origin = `http://127.0.0.1:${port}`
  await eventually(() => fetch(`${origin}/status`), 20_000)
  const session = await openWebDriverSession(origin, { acceptInsecureCerts: true })
  return {
    openTab: session.openTab,
    async close() {
      await session.close().catch(() => undefined)
      await end(server)
      await end(screen)
      await rm(home, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** The number of the display, which it chooses itself and writes to its descriptor 3. */
async function numberOf(screen: ChildProcess): Promise<string> {
  const [chunk] = (await once(screen.stdio[3] as Readable, 'data')) as [Buffer]
  return chunk.toString().trim()
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
