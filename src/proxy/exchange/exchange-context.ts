import type { AccessTokens } from '../../session/lifecycle/sessions.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'
import type { OpenStreams } from './open-streams.ts'

/** What every exchange of a route shares. */
export interface ExchangeContext {
  readonly route: ProxyRoute
  readonly accessTokens: Pick<AccessTokens, 'cure'>
  readonly openStreams: OpenStreams
  readonly metrics: Pick<Metrics, 'upstream'>
  readonly authPrefix: string
}

/** The head of an upstream's answer, and how to go on after it was paused. */
export interface Answer {
  readonly status: number
  readonly rawHeaders: readonly Buffer[]
  readonly resume: () => void
  readonly statusText: string
}

/** An answer whose body never came, without what described it. */
export function headOnly(answer: Answer): Answer {
  const rawHeaders: Buffer[] = []
  for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
    const [name, value] = answer.rawHeaders.slice(at, at + 2)
    if (name === undefined || value === undefined || ofBodies.test(name.toString('latin1'))) continue
    rawHeaders.push(name, value)
  }
  return { ...answer, rawHeaders: [...rawHeaders, Buffer.from('content-length'), Buffer.from('0')] }
}

const ofBodies =
  /^(?:content-(?:length|type|encoding|range|language|location|disposition|digest|md5)|transfer-encoding|etag|last-modified)$/i
