import type { Cookies } from '../http/cookies/cookies.ts'
import type { DeviceGuard } from '../http/device/device-guard.ts'
import type { CsrfPolicy } from '../http/guards/csrf-guard.ts'
import type { AddressLimits } from '../http/limits/address-limits.ts'
import type { StepUps } from '../http/login/step-up.ts'
import type { ClientCertificates } from '../oidc/client-authentication/client-certificate.ts'
import type { Provider } from '../oidc/provider/provider.ts'
import type { AccessToken } from '../oidc/tokens/token-set.ts'
import type { AccessTokens, Sessions } from '../session/lifecycle/sessions.ts'
import type { SessionView } from '../session/record/session.ts'
import type { Admission } from './admission.ts'
import type { BearerCaller, BearerCallers } from './callers/bearer-callers.ts'
import type { UsedProofs } from './callers/proofs.ts'
import type { AccessRequest } from './request.ts'
import type { AccessRules } from './rules/rules.ts'
import type { ClientTokens } from './tokens/client-tokens.ts'
import type { ExchangedTokens } from './tokens/exchanged-tokens.ts'
import type { MintedTokens } from './tokens/minted-tokens.ts'
import type { UpstreamProofs } from './tokens/upstream-proofs.ts'

/** What the decision asks. */
export interface AccessServices {
  readonly sessions: Pick<Sessions, 'find' | 'touch' | 'userRef'>
  readonly accessTokens: Pick<AccessTokens, 'get' | 'cure'>
  readonly provider: Pick<Provider, 'verifyBearer' | 'readVerifiedClaims'>
  readonly cookies: Pick<Cookies, 'readSession' | 'explainMissing' | 'isGatewayCookie'>
  /** The gateway's CSRF rule (DESIGN section 2.4). */
  readonly csrf: CsrfPolicy
  /** `undefined` where sessions are not bound to devices. */
  readonly device: DeviceGuard | undefined
  readonly limits: Pick<AddressLimits, 'admitLookup' | 'noteLive' | 'countMiss'>
  readonly stepUps: Pick<StepUps, 'required'>
  /** The path of `/login`. */
  readonly loginUrl: string
  readonly clientTokens: ClientTokens
  readonly exchangedTokens: ExchangedTokens
  readonly mintedTokens: MintedTokens | undefined
  readonly usedProofs: UsedProofs
  /** Our own proofs, for APIs. */
  readonly proofs: UpstreamProofs
  /** The client's certificates, to which tokens may be bound; `undefined` without one. */
  readonly certificates: ClientCertificates | undefined
  readonly now: () => number
}

/** How the decision is asked. */
export interface AskOptions {
  readonly isWebSocket: boolean
  /** The question is only asked: a caller's proof of possession stays usable. */
  readonly isRehearsal: boolean
}

/** A session that was found, from whose device the request has come. */
export interface KnownSession {
  readonly sessionId: string
  readonly session: SessionView
  /** Until then the proof of the device counts, epoch milliseconds; `undefined` where none is demanded. */
  readonly provenUntilMs: number | undefined
}

/** What is decided about callers once it is known who they are: the rule, the token, the headers. */
export interface Judgement {
  readonly bearers: BearerCallers
  admitSession(target: string, known: KnownSession): Admission | Promise<Admission>
  admitBearer(
    request: AccessRequest,
    target: string,
    caller: BearerCaller,
    scheme: 'bearer' | 'dpop',
    options: AskOptions,
  ): Admission | Promise<Admission>
  /** Where nobody is asked who they are. */
  admitNobody(target: string): Admission | Promise<Admission>
  /** Where somebody could have said who they are: nobody has a token, and nobody meets a rule. */
  admitAnonymous(target: string): Admission | Promise<Admission>
  renew(admission: Admission, rejected: AccessToken): Promise<AccessToken | undefined>
  stillMeets(sessionId: string, session: SessionView): Promise<boolean>
}

/** One route's parts of the decision. */
export interface AccessContext {
  readonly rules: AccessRules
  readonly services: AccessServices
  readonly judgement: Judgement
}
