import type { UnderWay } from '../../basics/under-way.ts'
import type { Breaker } from '../../network/breaker.ts'
import type { ProviderKeys } from '../verification/keys/keys.ts'
import type { OidcClient } from './client.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'

/** What every protocol step works with. */
export interface ProviderContext extends ProviderDependencies {
  readonly options: ProviderOptions
  readonly client: OidcClient
  readonly keys: ProviderKeys
  /** Stands before pushed logins alone. */
  readonly pushBreaker: Breaker
  /** Revocations, which those who no longer need a token mostly do not wait for. */
  readonly revocations: UnderWay
}
