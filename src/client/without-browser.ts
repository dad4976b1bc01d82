import type { Coatcheck } from './contract.ts'

const text =
  'coatcheck/client works in a browser; while a page is rendered on a server nobody is signed in yet.'

const refuse = (): Promise<never> => Promise.reject(new Error(text))
const listenToNothing = (): (() => void) => () => undefined

/** The helper where there is no browser: rendering on a server may import and create it, and register listeners that never hear anything. */
export const withoutBrowser: Coatcheck<never> = {
  getSession: refuse,
  refreshSession: refuse,
  login: refuse,
  apiFetch: refuse,
  logout() {
    throw new Error(text)
  },
  openEventSource: listenToNothing,
  openWebSocket: listenToNothing,
  onSessionChanged: listenToNothing,
  onSessionEnded: listenToNothing,
  onCountdown: listenToNothing,
  close: () => undefined,
}
