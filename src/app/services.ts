import { type GatewayCookieNames, gatewayCookieNames } from '../config/cookie-names.ts'
import type { Config } from '../config/load-config.ts'
import { createLimits, noLimits } from '../http/limits/limits.ts'
import type { Shedder } from '../http/limits/overload.ts'
import { createHttpContext, type HttpContext } from '../http/server/http-context.ts'
import {
  type ClientCertificates,
  createClientCertificates,
} from '../oidc/client-authentication/client-certificate.ts'
import { createProvider } from '../oidc/provider/create-provider.ts'
import type { Provider } from '../oidc/provider/provider.ts'
import { createProcessNames, type ProcessNames, type ReservedNames } from '../proxy/headers/reserved-names.ts'
import { createSealer } from '../sealing/sealer.ts'
import type { CacheRoom } from '../session/lifecycle/cache.ts'
import { createSessions } from '../session/lifecycle/create-sessions.ts'
import type { AccessTokens } from '../session/lifecycle/sessions.ts'
import { createSessionRecords } from '../session/record/records.ts'
import { createReferences } from '../session/record/references.ts'
import { createAccessTokens } from '../session/refresh/access-token.ts'
import type { SessionStore } from '../session/store/contract.ts'
import { createStore } from '../session/store/create-store.ts'
import { createNonceMemory, type NonceMemory } from '../signing/nonces.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/** What a gateway is made from besides its configuration; each part has a default. */
export interface Dependencies {
  readonly telemetry: Telemetry
  readonly store: SessionStore
  readonly provider: Provider
  /** The clock, epoch milliseconds. */
  readonly now: () => number
  /** Whom event-loop protection turns away. */
  readonly shedder: Pick<Shedder, 'share'>
}

/** What a process shares out to its frontends. */
export interface SharedParts {
  /** What servers want to see in proofs of possession. */
  readonly nonces: NonceMemory
  /** The process's; each frontend reports under its name. */
  readonly telemetry: Telemetry
  readonly store: SessionStore
  readonly cacheRoom: CacheRoom
  readonly cookieNames: GatewayCookieNames
  /** Headers that routes of any frontend write. */
  readonly headerNames: ProcessNames
  readonly shedder: Pick<Shedder, 'share'>
}

/** The parts of one frontend that its scopes are furnished with. */
export interface Services {
  readonly context: HttpContext
  readonly accessTokens: AccessTokens
  readonly store: SessionStore
  readonly nonces: NonceMemory
  readonly certificates: ClientCertificates | undefined
  readonly headerNames: ReservedNames
  readonly telemetry: Telemetry
}

/** Parts to use instead of the usual ones. */
export type GivenParts = Partial<Dependencies> &
  Partial<Pick<SharedParts, 'cacheRoom' | 'cookieNames' | 'headerNames' | 'nonces'>>

/** Makes what the settings ask for, but for what is given. */
export function createServices(config: Config, given: GivenParts, telemetry: Telemetry): Services {
  const now = given.now ?? Date.now
  const store = given.store ?? createStore(config, telemetry, now)
  const { cacheRoom, cookieNames, headerNames = createProcessNames(), nonces = createNonceMemory() } = given
  const sealer = createSealer(config.sessionSecret, config.frontend)
  const certificates = createClientCertificates(config, telemetry.log)
  const provider =
    given.provider ??
    createProvider(
      { ...config, userClaims: config.identityClaims },
      { telemetry, now, nonces, certificates, userRef: createReferences(sealer).user },
    )
  const records = createSessionRecords(config, {
    store,
    sealer,
    telemetry,
    now,
    ...(cacheRoom === undefined ? {} : { cacheRoom }),
  })
  const sessions = createSessions({ records, store, sealer, provider, now })
  const accessTokens = createAccessTokens(config, { records, store, provider, telemetry, now })
  const limits = config.rateLimit
    ? createLimits({ ...config, store, sessions, log: telemetry.log, now })
    : noLimits
  const names = cookieNames ?? gatewayCookieNames([config.cookieWord])
  const made = { sessions, accessTokens, provider, store, limits, telemetry, sealer, now }
  const services = { ...made, cookieNames: names }
  return {
    context: createHttpContext(config, services),
    accessTokens,
    store,
    nonces,
    certificates,
    headerNames,
    telemetry,
  }
}
