import type { HttpContext } from '../http/server/http-context.ts'
import type { ClientCertificates } from '../oidc/client-authentication/client-certificate.ts'
import type { Sealer } from '../sealing/sealer.ts'
import type { AccessTokens } from '../session/lifecycle/sessions.ts'
import { createSetbacks } from '../session/refresh/failing/setbacks.ts'
import type { NonceMemory } from '../signing/nonces.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { createUsedProofs } from './callers/proofs.ts'
import type { AccessServices } from './context.ts'
import type { GatewayKeys } from './gateway-keys.ts'
import { type ClientTokensDependencies, createClientTokens } from './tokens/client-tokens.ts'
import { createExchangedTokens, type ExchangedTokensDependencies } from './tokens/exchanged-tokens.ts'
import { createMintedTokens } from './tokens/minted-tokens.ts'
import { withLivingCertificates } from './tokens/upstream-certificates.ts'
import { createUpstreamProofs } from './tokens/upstream-proofs.ts'

/** What the settings say; the configuration fits. */
export interface AccessPartsOptions {
  readonly baseUrl: URL
  /** The path of `BASE_URL`, without a slash at its end. */
  readonly basePath: string
  readonly clientId: string
}

/** What the routes' decisions share. */
export type AccessParts = Pick<
  AccessServices,
  'clientTokens' | 'exchangedTokens' | 'mintedTokens' | 'usedProofs' | 'proofs' | 'certificates'
>

/** What they are made of. */
export interface AccessPartsDependencies {
  readonly provider: ClientTokensDependencies['provider'] & ExchangedTokensDependencies['provider']
  readonly sessions: ExchangedTokensDependencies['sessions']
  readonly sealer: Pick<Sealer, 'hmac'>
  readonly telemetry: Pick<Telemetry, 'log'>
  readonly nonces: NonceMemory
  readonly certificates: ClientCertificates | undefined
  readonly gatewayKeys: GatewayKeys | undefined
  readonly now: () => number
}

/** Who mints tokens here: `iss` of a minted token, and the address beneath which its metadata are. */
export function gatewayIssuer({
  baseUrl,
  basePath,
}: Pick<AccessPartsOptions, 'baseUrl' | 'basePath'>): string {
  return `${baseUrl.origin}${basePath}`
}

/** Makes what the routes' decisions share. */
export function createAccessParts(
  options: AccessPartsOptions,
  { provider, sessions, sealer, telemetry, nonces, certificates, gatewayKeys, now }: AccessPartsDependencies,
): AccessParts {
  const { log } = telemetry
  const setbacks = createSetbacks(now)
  return {
    clientTokens: createClientTokens({ provider, setbacks, log, now }),
    exchangedTokens: createExchangedTokens({ provider, sessions, setbacks, log, now }),
    mintedTokens:
      gatewayKeys === undefined
        ? undefined
        : createMintedTokens({
            keys: gatewayKeys,
            issuer: gatewayIssuer(options),
            clientId: options.clientId,
            sealer,
            now,
          }),
    usedProofs: createUsedProofs(now),
    proofs: createUpstreamProofs(nonces, now),
    certificates,
  }
}

/** What the decisions of a frontend work with, whoever asks for them: everything that its endpoints share, and more. */
export function createAccessServices(
  options: AccessPartsOptions,
  context: HttpContext & Pick<AccessPartsDependencies, 'nonces' | 'certificates' | 'gatewayKeys'>,
  accessTokens: AccessTokens,
) {
  return {
    ...context,
    ...createAccessParts(options, context),
    accessTokens: withLivingCertificates(accessTokens, context.certificates),
    csrf: context.csrfPolicy,
    loginUrl: context.paths.login,
    device: context.device?.guard,
  } satisfies AccessServices
}
