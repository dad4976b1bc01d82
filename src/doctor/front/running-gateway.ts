import type { Config } from '../../config/load-config.ts'
import { type ProbeAnswer, probe } from '../probes/http-probe.ts'
import type { RequestHeaders } from './browser-request.ts'

/** Whether a kind of header reaches the gateway; `unclear` when its answers do not show it. */
export type Passage = 'passes' | 'lost' | 'unclear'

/** What a gateway's answers show of the way to it. */
export interface GatewayAnswers {
  readonly origin: Passage
  readonly fetchMetadata: Passage
  readonly csrfHeader: Passage
  readonly cookie: Passage
}

/** Whether a gateway answers there. */
export async function isGateway(baseUrl: URL, timeoutMs: number): Promise<boolean> {
  const answer = await probe({ url: new URL('/livez', baseUrl), timeoutMs })
  return answer.kind === 'answered' && memberOf(answer.body, 'live') === true
}

/**
 * Sends requests that the guard must tell apart (DESIGN section 2.4), and one with a session that never was. Nothing is changed by
 * any of them.
 */
export async function watchGateway(
  { config }: { readonly config: Config },
  headers: RequestHeaders,
  timeoutMs: number,
): Promise<GatewayAnswers> {
  const ask = (path: string, changes: Readonly<Record<string, string | undefined>>): Promise<ProbeAnswer> =>
    probe({ url: new URL(path, config.baseUrl), headers: definedOf({ ...headers, ...changes }), timeoutMs })
  const session = `${config.authPrefix}/session`
  const accepted = isAccepted(await ask(session, {}))
  const refuses = async (changes: Readonly<Record<string, string>>): Promise<Passage> =>
    passageOf(accepted === true ? isRefused(await ask(session, changes)) : undefined)
  const bare = { 'sec-fetch-site': undefined, 'sec-fetch-mode': undefined, 'sec-fetch-dest': undefined }
  const guarded = config.routes.find(({ auth }) => auth === 'required')
  return {
    origin: await refuses({ origin: 'https://other.invalid' }),
    fetchMetadata: await refuses({ 'sec-fetch-site': 'cross-site' }),
    csrfHeader: passageOf(isAccepted(await ask(session, bare))),
    cookie: guarded === undefined ? 'unclear' : cookiePassage(await ask(guarded.prefix, {})),
  }
}

function definedOf(headers: Readonly<Record<string, string | undefined>>): RequestHeaders {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

function passageOf(passes: boolean | undefined): Passage {
  if (passes === undefined) return 'unclear'
  return passes ? 'passes' : 'lost'
}

function isAccepted(answer: ProbeAnswer): boolean | undefined {
  if (answer.kind === 'failed') return undefined
  if (answer.status === 200) return true
  return memberOf(answer.body, 'code') === 'csrf_rejected' ? false : undefined
}

function isRefused(answer: ProbeAnswer): boolean | undefined {
  const accepted = isAccepted(answer)
  return accepted === undefined ? undefined : !accepted
}

/** The gateway tells a session that is no more from none at all. */
function cookiePassage(answer: ProbeAnswer): Passage {
  const code = answer.kind === 'answered' ? memberOf(answer.body, 'code') : undefined
  if (code === 'session_expired') return 'passes'
  return code === 'session_missing' ? 'lost' : 'unclear'
}

function memberOf(text: string, name: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  } catch {
    return undefined
  }
}
