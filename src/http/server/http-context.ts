import { ownedPaths, resourceMetadataPrefix } from '../../config/endpoints.ts'
import { createErrorAnswers, type ErrorAnswers } from '../answers/error-answer.ts'
import { createPages, type Pages } from '../answers/pages.ts'
import { type HeaderFields, transportHeaders } from '../answers/security-headers.ts'
import { type Cookies, createCookies } from '../cookies/cookies.ts'
import { createTransactions, type Transactions } from '../cookies/transactions.ts'
import { createDeviceBinding, type DeviceBinding } from '../device/device-binding.ts'
import type { CsrfPolicy } from '../guards/csrf-guard.ts'
import { type ReturnToRules, resolveReturnTo } from '../guards/return-to.ts'
import { createStepUps, type StepUps } from '../login/step-up.ts'
import { createLogoutProofs, type LogoutProofs } from '../logout/logout-proof.ts'
import { type GatewayPaths, gatewayPaths } from './paths.ts'
import type { GatewayServices, HttpOptions } from './services.ts'

/** Everything that the scopes share: made once, by {@link createHttpContext}. */
export interface HttpContext extends GatewayServices {
  readonly options: HttpOptions
  readonly paths: GatewayPaths
  readonly cookies: Cookies
  readonly csrfPolicy: CsrfPolicy
  /** `undefined` where sessions are not bound to devices. */
  readonly device: DeviceBinding | undefined
  readonly errorAnswers: ErrorAnswers
  readonly logoutProofs: LogoutProofs
  readonly pages: Pages
  /** The app's start page: where nobody said otherwise. */
  readonly startPath: string
  readonly returnToRules: ReturnToRules
  readonly stepUps: StepUps
  readonly transactions: Transactions
  readonly transportHeaders: HeaderFields
  /** A safe path of this application, or `undefined`; see `return-to.ts`. */
  resolveReturnTo(untrusted: string): string | undefined
}

/** Puts together what the endpoints share. */
export function createHttpContext(options: HttpOptions, services: GatewayServices): HttpContext {
  const paths = gatewayPaths(options.authPrefix)
  const pages = createPages({ app: `${options.basePath}/`, login: paths.login }, options.pages)
  const transport = transportHeaders(options)
  const returnToRules = {
    baseUrl: options.baseUrl,
    basePath: options.basePath,
    reservedPaths: reservedPaths(options),
  }
  const owner = JSON.stringify([
    services.provider.issuer,
    options.clientId,
    `${options.baseUrl.origin}${options.basePath}`,
  ])
  const cookies = createCookies(options, services.cookieNames)
  return {
    ...services,
    options,
    paths,
    cookies,
    device: createDeviceBinding(options, { services, cookies, paths }),
    csrfPolicy: { origin: options.baseUrl.origin, headerRequired: options.csrfHeader === 'required' },
    errorAnswers: createErrorAnswers({
      loginUrl: paths.login,
      pages,
      transportHeaders: transport,
    }),
    logoutProofs: createLogoutProofs(services.sealer, services.now),
    pages,
    startPath: `${options.basePath}/`,
    returnToRules,
    stepUps: createStepUps({
      sealer: services.sealer,
      loginUrl: paths.login,
      loginParameters: options.loginParameters,
      authorizationParameters: options.authorizationParameters,
      fixedClaims: options.claims,
      now: services.now,
    }),
    transactions: createTransactions(services.sealer, owner, services.now),
    transportHeaders: transport,
    resolveReturnTo: (untrusted) => resolveReturnTo(untrusted, returnToRules),
  }
}

/** What another proxy carries are pages as well: their users come back there. */
function reservedPaths(options: HttpOptions): readonly string[] {
  const prefixes = options.routes
    .filter(({ upstream }) => upstream !== 'external')
    .map(({ prefix }) => prefix)
  const foreign = options.foreignPaths ?? []
  const minted = options.routes.some(({ access }) => access?.token === 'gateway')
  const documents = [
    ...(minted ? [`${options.authPrefix}/keys`] : []),
    `${options.basePath}/.well-known/openid-configuration`,
    resourceMetadataPrefix,
  ]
  return [...prefixes, ...foreign, ...ownedPaths(options.authPrefix), ...documents].map((path) =>
    path.toLowerCase(),
  )
}
