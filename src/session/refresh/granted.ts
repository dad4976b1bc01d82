import type { GatewayError } from '../../errors/gateway-error.ts'
import type { Provider, RefreshOutcome } from '../../oidc/provider/provider.ts'
import type { ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { Endings } from '../lifecycle/ending/endings.ts'
import type { SessionRecords } from '../record/records.ts'
import type { StoredSession } from '../record/writes.ts'
import type { Doubts } from './failing/doubts.ts'
import type { Setbacks } from './failing/setbacks.ts'
import type { Lease } from './lease/lease.ts'

/** What an outcome acts on. */
export interface OutcomeDependencies {
  readonly records: SessionRecords
  readonly provider: Pick<Provider, 'revoke'>
  readonly endings: Endings
  readonly setbacks: Setbacks
  readonly doubts: Doubts
  readonly telemetry: Pick<Telemetry, 'log' | 'audit'>
  readonly now: () => number
  /** Whoever waits for an answer of the provider waits no longer; the exchange itself goes on. Milliseconds. */
  readonly answerWithinMs: number
}

/** A grant whose answer has come. */
export interface Granted {
  /** As it was read before the grant. */
  readonly session: StoredSession
  readonly audience: ApiAudience
  /** Whether that is the API of the login: only for it a refusal ends the session. */
  readonly isDefault: boolean
  /** When the provider was asked, epoch milliseconds. */
  readonly askedAtMs: number
  readonly lease: Lease
  readonly putAside: PutAside
}

/**
 * Told when something takes long, such as a write whose result is not known yet: those who wait, and those who come, are answered with this
 * then, and nobody's place is taken any more. `givesUp` is asked when somebody comes: true when its time is over, and it ends now.
 */
export type PutAside = (error: GatewayError, givesUp?: () => boolean) => void

/** One kind of outcome. */
export type Of<Kind extends RefreshOutcome['kind']> = Extract<RefreshOutcome, { readonly kind: Kind }>
