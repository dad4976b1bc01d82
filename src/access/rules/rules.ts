import { METHODS } from 'node:http'
import { resourceMetadataPrefix } from '../../config/endpoints.ts'
import type { RouteAuth, RouteConfig } from '../../config/routes/route.ts'
import type {
  CallerKind,
  RouteExchange,
  RouteRequirement,
  RouteTokenKind,
} from '../../config/routes/rules/access.ts'
import type { ApiAudience } from '../../oidc/tokens/token-set.ts'
import { createTargetRule, type TargetRule } from '../target.ts'
import { createProofPlace, type ProofPlace } from '../tokens/upstream-proofs.ts'

/** What a route demands of those who call it; derived once from its configuration. */
export interface AccessRules {
  readonly prefix: string
  readonly auth: RouteAuth
  readonly isGuarded: boolean
  /** Only a session calls, its own token goes upstream, and nothing else is asked or told: the fast path. */
  readonly isPlain: boolean
  /** The app itself and no API: its service worker may be loaded from here. */
  readonly isApp: boolean
  /** The API whose token of the session is sent. */
  readonly audience: ApiAudience | undefined
  /** The API whose token the login brings: rules are judged by it, and it is exchanged, where another one is sent. */
  readonly loginAudience: ApiAudience
  readonly token: RouteTokenKind
  readonly api: ApiAudience | undefined
  readonly exchange: RouteExchange
  readonly callers: readonly CallerKind[]
  readonly require: RouteRequirement | undefined
  /** The rule reads claims of the access token. */
  readonly readsAccessToken: boolean
  readonly identityHeaders: readonly (readonly [name: string, claim: string])[]
  readonly claims: readonly string[]
  /** The route as its callers know it (RFC 9728 section 1.2), and where that is described. */
  readonly resource: string
  readonly resourceMetadata: string
  readonly target: TargetRule
  /** How the API names itself in proofs of possession. */
  readonly proof: ProofPlace
  readonly methods: ReadonlySet<string>
  /** `methods` as the value of `allow`. */
  readonly allow: string
  readonly bodyLimitBytes: number
}

/** What all routes share. */
export interface AccessRuleOptions {
  readonly baseUrl: URL
  /** The API whose audience the login asks for. */
  readonly audience: ApiAudience
}

/**
 * Methods that are let through unless the route lists its own. TRACE and CONNECT never are, and no route can list them.
 */
export const usualMethods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Every method that a route answers at all, if only with 405. CONNECT never arrives as a request. */
export const answeredMethods: readonly string[] = METHODS.filter((method) => method !== 'CONNECT')

/** Derives the rules of a route. */
export function createAccessRules(
  config: RouteConfig,
  isApp: boolean,
  { baseUrl, audience: loginAudience }: AccessRuleOptions,
): AccessRules {
  const methods = new Set(config.methods ?? usualMethods)
  const target = createTargetRule(config.prefix, config.upstream)
  const { access, auth, prefix } = config
  return {
    ...access,
    prefix,
    auth,
    isGuarded: auth !== 'none',
    isPlain: isPlain(config),
    isApp,
    audience: config.audience,
    loginAudience,
    readsAccessToken: readsAccessToken(access.require),
    resource: `${baseUrl.origin}${prefix}`,
    resourceMetadata: `${baseUrl.origin}${resourceMetadataPath(prefix)}`,
    target,
    proof: createProofPlace(target, upstreamOf(config, baseUrl), config.proofUrl),
    methods,
    allow: [...methods].join(', '),
    bodyLimitBytes: config.bodyLimitBytes,
  }
}

/** Where another proxy carries the requests, the API is known by our own address of it unless `proofUrl` says otherwise. */
function upstreamOf({ upstream, prefix }: RouteConfig, baseUrl: URL): URL {
  return upstream === 'external' ? new URL(prefix, baseUrl) : upstream
}

/** Where a protected resource is described (RFC 9728 section 3.1). */
export function resourceMetadataPath(prefix: string): string {
  return `${resourceMetadataPrefix}${prefix}`
}

function isPlain({ auth, access }: RouteConfig): boolean {
  if (auth === 'none') return access.token !== 'client'
  const isSession = access.callers.length === 1 && access.callers[0] === 'session'
  return (
    isSession &&
    access.token === 'user' &&
    access.require === undefined &&
    access.identityHeaders.length === 0
  )
}

function readsAccessToken(requirement: RouteRequirement | undefined): boolean {
  const demands = requirement === undefined ? [] : [requirement, ...requirement.any]
  return demands.some(({ claims }) => claims.some(({ source }) => source === 'access_token'))
}
