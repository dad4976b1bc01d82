/** One kind of request, measured on every gateway. */
export interface Scenario {
  readonly name: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly bodyBytes: number
  /** How many sessions take turns; 0: no cookie, so gateways with sessions refuse. */
  readonly sessions: number
}

const get = { method: 'GET', path: '/api/1k', bodyBytes: 0 } as const

/** In the order of the results page. */
export const scenarios: readonly Scenario[] = [
  { ...get, name: 'GET 1 KB, 1,000 sessions', sessions: 1_000 },
  { ...get, name: 'GET 1 KB, 1 session', sessions: 1 },
  { ...get, name: 'GET 100 KB, 1,000 sessions', path: '/api/100k', sessions: 1_000 },
  {
    name: 'POST 10 KB, 1,000 sessions',
    method: 'POST',
    path: '/api/post',
    bodyBytes: 10_240,
    sessions: 1_000,
  },
  { ...get, name: 'Refused: no session', sessions: 0 },
]
