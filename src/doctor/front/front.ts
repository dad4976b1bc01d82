import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/load-config.ts'
import { type ProbeAnswer, probe } from '../probes/http-probe.ts'
import { browserHeaders, type RequestHeaders } from './browser-request.ts'
import { type Arrival, type Echo, startEcho } from './echo.ts'
import { type GatewayAnswers, isGateway, watchGateway } from './running-gateway.ts'

/** What becomes of a request that is sent to `BASE_URL`. */
export type Front =
  /** It came to us: nobody else listened in the gateway's place. */
  | {
      readonly kind: 'arrived'
      readonly sent: RequestHeaders
      readonly arrival: Arrival
      /** Whether the largest headers that the gateway sends came back whole; otherwise what came instead. */
      readonly large: 'whole' | 'cookies_lost' | 'location_changed' | { readonly refused: string }
    }
  /** A gateway that runs already has answered; what passes is concluded from its answers. */
  | { readonly kind: 'gateway'; readonly answers: GatewayAnswers }
  /** `isPortOurs`: we listened, and it did not come to us. */
  | { readonly kind: 'unreachable'; readonly code: string; readonly isPortOurs: boolean }
  | { readonly kind: 'stranger'; readonly status: number; readonly isPortOurs: boolean }

/** A proxy in front that answers slower than this is a fault of its own, milliseconds. */
const timeoutMs = 5_000
/** A proxy remembers for a while that nobody listened here. */
const patienceMs = 4_000
const pauseMs = 250

/** Listens in the gateway's place if it is free, sends a browser's request to `BASE_URL`, and looks at what arrives. */
export async function examineFront(context: { readonly config: Config }): Promise<Front> {
  const { config } = context
  const echo = await startEcho(config, config.baseUrl)
  try {
    return await examine(context, echo)
  } finally {
    await echo?.close()
  }
}

async function examine(context: { readonly config: Config }, echo: Echo | undefined): Promise<Front> {
  const headers = browserHeaders(context)
  const send = (query: string): Promise<ProbeAnswer> => {
    const { baseUrl, authPrefix } = context.config
    return probe({ url: new URL(`${authPrefix}/session${query}`, baseUrl), headers, timeoutMs })
  }
  const answer = await patiently(() => send(echo?.query('plain') ?? ''), echo)
  const arrival = echo?.arrival()
  if (echo !== undefined && arrival !== undefined) {
    return { kind: 'arrived', sent: headers, arrival, large: judge(await send(echo.query('large')), echo) }
  }
  const isPortOurs = echo !== undefined
  if (answer.kind === 'failed') return { kind: 'unreachable', code: answer.code, isPortOurs }
  if (await isGateway(context.config.baseUrl, timeoutMs))
    return { kind: 'gateway', answers: await watchGateway(context, headers, timeoutMs) }
  return { kind: 'stranger', status: answer.status, isPortOurs }
}

/** Asks again while a proxy may still believe that nobody listens. */
async function patiently(send: () => Promise<ProbeAnswer>, echo: Echo | undefined): Promise<ProbeAnswer> {
  const deadlineMs = performance.now() + patienceMs
  for (;;) {
    const answer = await send()
    const mayRecover = answer.kind === 'answered' && [502, 503, 504].includes(answer.status)
    if (echo === undefined || echo.arrival() !== undefined || !mayRecover) return answer
    if (performance.now() > deadlineMs) return answer
    await sleep(pauseMs)
  }
}

function judge(answer: ProbeAnswer, { large }: Echo): (Front & { readonly kind: 'arrived' })['large'] {
  if (answer.kind === 'failed') return { refused: answer.code }
  if (answer.status !== 303) return { refused: `HTTP ${answer.status}` }
  if ((answer.headers['set-cookie'] ?? []).join() !== large.cookies.join()) return 'cookies_lost'
  return answer.headers.location === large.location ? 'whole' : 'location_changed'
}
