/** What is measured. No label value here is ever chosen by a client. */
export interface Metrics {
  request(route: string, status: number, seconds: number): void
  /** A request was answered with a problem of our own. */
  problem(code: string): void
  upstream(route: string, outcome: string, seconds: number): void
  login(outcome: string): void
  callback(outcome: string): void
  refresh(outcome: string, seconds: number): void
  refreshWait(seconds: number): void
  logout(kind: 'browser' | 'backchannel' | 'frontchannel', outcome: string): void
  sessionCache(result: 'hit' | 'miss' | 'bypass'): void
  store(operation: string, ok: boolean, seconds: number): void
  provider(operation: string, outcome: string, seconds: number): void
  openStreams(kind: 'websocket' | 'sse', delta: 1 | -1): void
  /** @param count asked at each scrape */
  openConnections(count: () => Promise<number>): void
}

const nothing = (): void => undefined

/** Metrics that count nothing: for tests, and when no admin port is configured. */
export const noMetrics: Metrics = {
  request: nothing,
  problem: nothing,
  upstream: nothing,
  login: nothing,
  callback: nothing,
  refresh: nothing,
  refreshWait: nothing,
  logout: nothing,
  sessionCache: nothing,
  store: nothing,
  provider: nothing,
  openStreams: nothing,
  openConnections: nothing,
}
