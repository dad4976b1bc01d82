import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'
import { findCommand } from '../commands.ts'
import { type BrowserTab, completeTab, type DrivenBrowser, type DrivenBrowserOptions } from './tab.ts'

const binary = process.env.FIREFOX_PATH ?? findCommand('firefox-esr', 'firefox')

/** Without Firefox the rest of the suite still runs; CI installs it. */
export const isFirefoxLeftOut = binary === undefined && process.env.CI === undefined

/** Quiet and self-contained: no traffic of its own, no pages of its own. */
const preferences = {
  'app.update.disabledForTesting': true,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'browser.startup.homepage_override.mstone': 'ignore',
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
}

type Send = (method: string, params: object) => Promise<Record<string, unknown>>

/**
 * Starts the Firefox of this machine (`FIREFOX_PATH` names another) and drives it by WebDriver BiDi, which it speaks itself.
 *
 * @throws Error when there is none
 */
export async function launchFirefox({ httpsProxy }: DrivenBrowserOptions = {}): Promise<DrivenBrowser> {
  if (binary === undefined) throw new Error('no Firefox: install firefox-esr, or set FIREFOX_PATH')
  const profile = await mkdtemp(join(tmpdir(), 'coatcheck-firefox-'))
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});`,
  )
  await writeFile(join(profile, 'user.js'), lines.join('\n'))
  const args = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0']
  const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const socket = new WebSocket(`${await addressOf(child)}/session`, { perMessageDeflate: false })
  await once(socket, 'open')
  const send = createSend(socket)
  const proxy = httpsProxy === undefined ? {} : { proxy: { proxyType: 'manual', sslProxy: httpsProxy } }
  await send('session.new', { capabilities: { alwaysMatch: { acceptInsecureCerts: true, ...proxy } } })
  return {
    openTab: () => openTab(send),
    async close() {
      const exited = once(child, 'exit')
      await send('browser.close', {}).catch(() => child.kill('SIGKILL'))
      await exited
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function addressOf(child: ChildProcess): Promise<string> {
  if (child.stderr === null) throw new Error('the browser has no standard error')
  for await (const line of createInterface({ input: child.stderr })) {
    const [, address] = /WebDriver BiDi listening on (ws:\S+)/.exec(line) ?? []
    if (address !== undefined) {
      child.stderr.resume()
      return address
    }
  }
  throw new Error('the browser ended before it listened')
}

/** Commands and their answers, by number (WebDriver BiDi, section 3.4). */
function createSend(socket: WebSocket): Send {
  const waiting = new Map<
    number,
    { resolve: (value: Record<string, unknown>) => void; reject: (error: Error) => void }
  >()
  let last = 0
  socket.on('message', (data: Buffer) => {
    const { id, type, result, error, message } = JSON.parse(data.toString())
    const waiter = waiting.get(id)
    waiting.delete(id)
    if (type === 'success') waiter?.resolve(result)
    else waiter?.reject(new Error(`${error}: ${message}`))
  })
  socket.on('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('the browser has gone'))
  })
  return (method, params) =>
    new Promise((resolve, reject) => {
      last += 1
      waiting.set(last, { resolve, reject })
      socket.send(JSON.stringify({ id: last, method, params }))
    })
}

async function openTab(send: Send): Promise<BrowserTab> {
  const { context } = await send('browsingContext.create', { type: 'tab' })
  async function evaluate<Result>(expression: string): Promise<Result> {
    const answer = await send('script.evaluate', {
      expression: `(async () => JSON.stringify(await (${expression})) ?? 'null')()`,
      target: { context },
      awaitPromise: true,
    })
    const { result, exceptionDetails } = answer as {
      readonly result?: { readonly value: string }
      readonly exceptionDetails?: { readonly text: string }
    }
    if (result === undefined) throw new Error(exceptionDetails?.text)
    return JSON.parse(result.value)
  }
  return completeTab({
    async goto(url) {
      await send('browsingContext.navigate', { context, url, wait: 'complete' })
    },
    evaluate,
  })
}
