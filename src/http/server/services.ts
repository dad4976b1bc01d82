import type { GatewayCookieNames } from '../../config/cookie-names.ts'
import type { OperatorPages } from '../../config/pages/folder.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import type { ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { Sealer } from '../../sealing/sealer.ts'
import type { AccessTokens, Sessions } from '../../session/lifecycle/sessions.ts'
import type { SessionStore } from '../../session/store/contract.ts'
import type { Telemetry } from '../../telemetry/telemetry.ts'
import type { SecurityHeaderOptions } from '../answers/security-headers.ts'
import type { CookieOptions } from '../cookies/cookies.ts'
import type { DeviceBindingOptions } from '../device/device-options.ts'

import type { Limits } from '../limits/limits.ts'

/** What the endpoints work with. */
export interface GatewayServices {
  readonly sessions: Sessions
  readonly accessTokens: Pick<AccessTokens, 'refreshIfDue' | 'update'>
  readonly provider: Provider
  readonly store: Pick<SessionStore, 'status' | 'ping' | 'markDevice' | 'aheadMs'>
  readonly limits: Limits
  readonly telemetry: Telemetry
  readonly sealer: Sealer
  /** The cookies of every gateway in this process; only those of this one unless told. */
  readonly cookieNames?: GatewayCookieNames
  readonly now: () => number
}

/** What the settings say to the endpoints; the configuration fits. */
export interface HttpOptions extends CookieOptions, SecurityHeaderOptions, DeviceBindingOptions {
  readonly authPrefix: string
  /** The path of `BASE_URL`, `''` for none. */
  readonly basePath: string
  readonly clientId: string
  /** Seconds. */
  readonly sessionIdleTimeout: number
  readonly csrfHeader: 'auto' | 'required'
  /** What `/session` shows of the identity. */
  readonly userClaims: readonly string[]
  readonly authorizationParameters: Readonly<Record<string, string>>
  /** `CLAIMS`. */
  readonly claims?: string | undefined
  readonly loginParameters: readonly string[]
  /** How the provider answers a login. */
  readonly responseMode?: 'query' | 'form_post' | 'jwt'
  /** The API whose token a login brings. */
  readonly audience: ApiAudience
  /** The operator's own pages. */
  readonly pages?: OperatorPages | undefined
  /** What belongs to other frontends below this one; nobody returns there. */
  readonly foreignPaths?: readonly string[]
  /** Nobody returns to what is proxied here. */
  readonly routes: readonly {
    readonly prefix: string
    readonly upstream?: URL | 'external'
    readonly access?: { readonly token: string }
  }[]
}
