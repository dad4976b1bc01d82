import { eventually } from '../eventually.ts'

/** How long a page may take to become what a test waits for, milliseconds. */
const patienceMs = 30_000

/** What each browser does in its own way. Expressions are text, because tests are compiled without the DOM. */
export interface BareTab {
  goto(url: string): Promise<void>
  /** What the expression, or its promise, comes to, as JSON carries it. */
  evaluate<Result>(expression: string): Promise<Result>
}

/** One tab of a browser that a test drives. */
export interface BrowserTab extends BareTab {
  /** Waits until an expression is true, across navigations. */
  until(expression: string): Promise<void>
  /** Clicks the first button or link with this text. */
  click(name: string): Promise<void>
}

/** A running browser with a profile of its own. */
export interface DrivenBrowser {
  openTab(): Promise<BrowserTab>
  close(): Promise<void>
}

/** How a driven browser reaches what it opens. */
export interface DrivenBrowserOptions {
  /** `host:port` of a proxy for https alone, which knows the names that exist only in a test. Certificates are taken as they are. */
  readonly httpsProxy?: string
}

/** Adds what is alike in all browsers. */
export function completeTab({ goto, evaluate }: BareTab): BrowserTab {
  const until = (expression: string): Promise<void> =>
    eventually(async () => {
      if (!(await evaluate<boolean>(`Boolean(${expression})`))) throw new Error(`never true: ${expression}`)
    }, patienceMs)
  const named = (name: string): string =>
    `[...document.querySelectorAll('button, a')].find((one) => one.textContent.includes(${JSON.stringify(name)}))`
  return {
    goto,
    evaluate,
    until,
    async click(name) {
      await until(named(name))
      await evaluate(`void ${named(name)}.click()`)
    },
  }
}
