import type { ProviderNetworkOptions } from '../../network/provider-network.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { ClientAuthenticationOptions } from '../client-authentication/client-authentication.ts'
import type { ApiAudience } from '../tokens/token-set.ts'

/** What the settings say about the provider. */
export interface ProviderOptions extends ClientAuthenticationOptions, ProviderNetworkOptions {
  /** Exactly as the provider writes it in `iss`, trailing slash included. */
  readonly issuerUrl: string
  readonly baseUrl: URL
  readonly authPrefix: string
  readonly scope: string
  /** The API whose audience the login asks for. */
  readonly audience: ApiAudience
  /** Where tokens go; an API of its own has an audience of its own. */
  readonly routes?: readonly { readonly audience?: ApiAudience | undefined }[]
  readonly accessTokenFormat: 'jwt' | 'jwt-without-aud' | 'any'
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly tokenParameters: Readonly<Record<string, string>>
  readonly endSessionUrl: URL | undefined
  readonly userClaims: readonly string[]
}

/** What the provider's parts are handed. */
export interface ProviderDependencies {
  readonly telemetry: Telemetry
  /** The clock, epoch milliseconds. */
  readonly now: () => number
}
