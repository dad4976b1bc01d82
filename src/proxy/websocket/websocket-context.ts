import type { Access } from '../../access/decide.ts'
import type { UpstreamCertificates } from '../../access/tokens/upstream-certificates.ts'
import type { UpstreamProofs } from '../../access/tokens/upstream-proofs.ts'
import type { Sessions } from '../../session/lifecycle/sessions.ts'
import type { SessionLimits } from '../../session/record/session.ts'
import type { OpenCalls } from '../calls/open-calls.ts'
import type { RefusalContext } from '../headers/step-up.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'

/** What every WebSocket of a route shares. */
export interface WebSocketContext {
  readonly route: ProxyRoute
  readonly openCalls: OpenCalls
  readonly sessions: Pick<Sessions, 'touch'>
  readonly limits: SessionLimits
  readonly stepUps: RefusalContext['stepUps']
  readonly refusals: RefusalContext['refusals']
  readonly access: Pick<Access, 'stillMeets'>
  readonly proofs: UpstreamProofs
  readonly certificates: UpstreamCertificates | undefined
  readonly maxWebsocketsPerSession: number
  readonly now: () => number
}
