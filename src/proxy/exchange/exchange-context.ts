import type { Access } from '../../access/decide.ts'
import type { UpstreamCertificates } from '../../access/tokens/upstream-certificates.ts'
import type { UpstreamProofs } from '../../access/tokens/upstream-proofs.ts'
import type { StepUps } from '../../http/login/step-up.ts'
import type { Metrics } from '../../telemetry/measures/metrics.ts'
import type { Logger } from '../../telemetry/telemetry.ts'
import type { OpenCalls } from '../calls/open-calls.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'
import type { AdmittedRequest } from './proxied-request.ts'
import type { TokenRefusals } from './token-refusals.ts'

/** What every exchange of a route shares. */
export interface ExchangeContext {
  readonly route: ProxyRoute
  readonly access: Pick<Access, 'renew' | 'stillMeets'>
  readonly stepUps: Pick<StepUps, 'required'>
  readonly refusals: TokenRefusals
  readonly proofs: UpstreamProofs
  /** `undefined` without certificates to which tokens could be bound. */
  readonly certificates: UpstreamCertificates | undefined
  readonly openCalls: OpenCalls
  readonly metrics: Pick<Metrics, 'upstream'>
  readonly log: Pick<Logger, 'warn'>
  /** `UPLOAD_MIN_RATE`, bytes a second; 0: any. */
  readonly uploadMinRate: number
}

/** One request for the upstream, and who asks. */
export interface ExchangeRequest extends AdmittedRequest {
  /** Whose share of the route's places it takes; `undefined`: nobody's. */
  readonly owner: string | undefined
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
