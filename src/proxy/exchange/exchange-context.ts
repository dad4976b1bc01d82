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
