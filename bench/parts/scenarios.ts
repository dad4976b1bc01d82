/** One kind of request, measured on every gateway. */
export interface Scenario {
  readonly name: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly bodyBytes: number
  /** The least bytes of an answer that is not refused; fewer mean that something else was measured. */
  readonly answerBytes: number
  /** How many sessions take turns; 0: no cookie. */
  readonly sessions: number
  /** Where the request claims to come from. */
  readonly site: 'same-origin' | 'cross-site'
}

const get = {
  method: 'GET',
  path: '/api/1k',
  bodyBytes: 0,
  answerBytes: 1_024,
  sessions: 1_000,
  site: 'same-origin',
} as const

/** What most requests of an app are like. */
export const usual: Scenario = { ...get, name: 'GET 1 KB, 1,000 sessions' }

/** In the order of the results page. */
export const scenarios: readonly Scenario[] = [
  usual,
  { ...get, name: 'GET 1 KB, 1 session', sessions: 1 },
  { ...get, name: 'GET 100 KB, 1,000 sessions', path: '/api/100k', answerBytes: 102_400 },
  {
    ...get,
    name: 'POST 10 KB, 1,000 sessions',
    method: 'POST',
    path: '/api/post',
    bodyBytes: 10_240,
    answerBytes: 11,
  },
  { ...get, name: 'Refused: no session', sessions: 0 },
  { ...get, name: 'Refused: from a foreign site', site: 'cross-site' },
]

/** The question whether that may pass, which is answered with the token in the head. */
export const question: Scenario = { ...usual, name: 'Forward-auth: a question, to a request that is carried' }

/** Whether this gateway owes a refusal to this scenario; one without sessions lets everybody pass. */
export function isRefusalOwed(
  { sessions, site }: Scenario,
  gateway: { readonly cookies: readonly string[]; readonly checksOrigin: boolean },
): boolean {
  if (site === 'cross-site') return gateway.checksOrigin
  return sessions === 0 && gateway.cookies.length > 0
}
