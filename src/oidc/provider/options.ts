import type { ProviderNetworkOptions } from '../../network/provider-network.ts'
import type { NonceMemory } from '../../signing/nonces.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { ClientAuthenticationOptions } from '../client-authentication/client-authentication.ts'
import type { ClientCertificates } from '../client-authentication/client-certificate.ts'
import type { ApiAudience, TokenBindingKind } from '../tokens/token-set.ts'

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
  /** Claims of access tokens that routes judge by, by the key of their audience. */
  readonly accessClaims?: Readonly<Record<string, readonly string[]>>
  readonly accessTokenFormat: 'jwt' | 'jwt-without-aud' | 'any'
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly tokenParameters: Readonly<Record<string, string>>
  readonly endSessionUrl: URL | undefined
  readonly userClaims: readonly string[]
  /** Whether a login is handed to the provider first (RFC 9126); `auto`: where its metadata demand it. */
  readonly pushedAuthorizationRequests?: 'auto' | 'on' | 'off'
  /** Whether the authorization request is signed (RFC 9101). */
  readonly requestObject?: 'off' | 'signed'
  /** How an authorization response comes; another way is refused. */
  readonly responseMode?: 'query' | 'form_post' | 'jwt'
  /** Whether the userinfo endpoint is asked. */
  readonly userinfo?: boolean | undefined
  /** The `claims` request parameter (OpenID Connect Core section 5.5), JSON. */
  readonly claims?: string | undefined
  /** The profile whose rules hold besides the settings; absent: none. */
  readonly securityProfile?: 'none' | 'fapi2' | 'fapi2-message-signing'
  /** Whether tokens are to be worth something for us alone; absent: they are bearer tokens. */
  readonly tokenBinding?: TokenBindingKind
  /** With what the provider may sign; `undefined`: with what it announces. */
  readonly idTokenAlgorithm?: readonly string[] | undefined
}

/** What the provider's parts are handed. */
export interface ProviderDependencies {
  readonly telemetry: Telemetry
  /** The clock, epoch milliseconds. */
  readonly now: () => number
  /** The nonces of servers, shared by the process; absent: this provider's alone. */
  readonly nonces?: NonceMemory
  /** The client's certificates, shared with the routes; absent: this provider's own look at them. */
  readonly certificates?: ClientCertificates | undefined
  /** Pseudonym of a user for the log; without it a subject is not told from another. */
  readonly userRef?: (issuer: string, subject: string) => string
}
