import type { Config } from '../config/load-config.ts'
import type { ProviderHints } from '../oidc/provider/profiles/hints.ts'
import type { Provider } from '../oidc/provider/provider.ts'
import type { RedisDiagnosis, RedisFailure } from '../session/store/redis/diagnosis/diagnosis.ts'
import type { Finding } from './finding.ts'
import type { Front } from './front/front.ts'
import type { LoginOutcome } from './login/login-report.ts'
import type { AuthorizationAnswer } from './provider/authorization-probe.ts'
import type { Discovery, Metadata } from './provider/discovery.ts'
import type { ProofCare } from './provider/loose-proof.ts'
import type { TokenAnswer } from './provider/token-probe.ts'

/** What checks look at. Each thing is examined once, when the first check asks for it. */
export interface DoctorContext {
  readonly config: Config
  /** Remedies in the provider's own words; it is known best after {@link discovery}. */
  readonly hints: ProviderHints
  /** The clock, epoch milliseconds. */
  readonly now: () => number
  /** The provider's discovery document, or why there is none. */
  readonly discovery: () => Promise<Discovery>
  /**
   * The discovery document.
   * @throws SkipCheck when there is none
   */
  readonly metadata: () => Promise<Metadata>
  /**
   * The provider as the gateway itself uses it.
   * @throws SkipCheck when the gateway could not use it
   */
  readonly provider: () => Promise<Provider>
  /**
   * How the provider answers an authorization request that asks nobody anything.
   * @throws SkipCheck when the gateway could not make one
   */
  readonly authorization: () => Promise<AuthorizationAnswer>
  /**
   * How the token endpoint answers to our client's proof.
   * @throws SkipCheck when the gateway could not ask it
   */
  readonly credentials: () => Promise<TokenAnswer>
  /** Whether the token endpoint looks at the client's proof at all. */
  readonly proofCare: () => Promise<ProofCare>
  /**
   * How Redis is.
   * @throws SkipCheck when sessions are not kept in Redis
   */
  readonly redis: () => Promise<RedisDiagnosis | RedisFailure>
  /** What arrives of a request that is sent to `BASE_URL`. */
  readonly front: () => Promise<Front>
  /**
   * What one real login brought, or what kept it from coming to pass.
   * @throws SkipCheck when the gateway could not use the provider
   */
  readonly login: () => Promise<LoginOutcome>
}

/** A check. Adding one is a file and a row in `checks.ts`. */
export interface Check {
  /** Stable: part of the JSON report. */
  readonly id: string
  /** Looks, and says what it found. @throws SkipCheck */
  readonly examine: (context: DoctorContext) => Promise<Finding | readonly Finding[]>
}
