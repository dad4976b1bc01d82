import { type BrowserTab, completeTab } from './tab.ts'

/** How long a page's promise may take, milliseconds. */
const scriptTimeoutMs = 30_000

/** A session of a browser that speaks W3C WebDriver over HTTP. */
export interface WebDriverSession {
  openTab(): Promise<BrowserTab>
  close(): Promise<void>
}

type Command = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => Promise<unknown>

/**
 * Opens a session.
 *
 * @param driver origin of the driver's own HTTP server
 * @throws Error with the driver's own words when it refuses
 */
export async function openWebDriverSession(driver: string, capabilities: object): Promise<WebDriverSession> {
  const call: Command = (method, path, body) => callDriver(driver + path, method, body)
  const { sessionId } = (await call('POST', '/session', { capabilities: { alwaysMatch: capabilities } })) as {
    readonly sessionId: string
  }
  const command: Command = (method, path, body) => call(method, `/session/${sessionId}${path}`, body)
  await command('POST', '/timeouts', { script: scriptTimeoutMs, pageLoad: scriptTimeoutMs })
  const inTurn = createTurns()
  return {
    async openTab() {
      const { handle } = (await inTurn(() => command('POST', '/window/new', { type: 'tab' }))) as {
        readonly handle: string
      }
      // The driver has one current tab: each command names its own first, and no other comes between.
      return createTab((method, path, body) =>
        inTurn(async () => {
          await command('POST', '/window', { handle })
          return command(method, path, body)
        }),
      )
    },
    close: async () => void (await inTurn(() => command('DELETE', ''))),
  }
}

async function callDriver(url: string, method: string, body: object = {}): Promise<unknown> {
  const answer = await fetch(url, { method, ...(method === 'POST' ? { body: JSON.stringify(body) } : {}) })
  const { value } = (await answer.json()) as { readonly value: unknown }
  if (!answer.ok) throw new Error(`${method} ${url}: ${JSON.stringify(value)}`)
  return value
}

function createTurns(): (work: () => Promise<unknown>) => Promise<unknown> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
}

function createTab(command: Command): BrowserTab {
  async function evaluate<Result>(expression: string): Promise<Result> {
    const script = `const done = arguments[arguments.length - 1]; Promise.resolve().then(() => (${expression})).then((value) => done([JSON.stringify(value) ?? 'null']), (error) => done([null, String(error)]))`
    const [text, fault] = (await command('POST', '/execute/async', { script, args: [] })) as [string, string?]
    if (fault !== undefined) throw new Error(fault)
    return JSON.parse(text)
  }
  return completeTab({ goto: async (url) => void (await command('POST', '/url', { url })), evaluate })
}
