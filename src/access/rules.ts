import { METHODS } from 'node:http'
import type { RouteAuth, RouteConfig } from '../config/routes/route.ts'
import type { ApiAudience } from '../oidc/tokens/token-set.ts'
import { createTargetRule, type TargetRule } from './target.ts'

/** What a route demands of those who call it; derived once from its configuration. */
export interface AccessRules {
  readonly auth: RouteAuth
  readonly isGuarded: boolean
  /** The app itself and no API: its service worker may be loaded from here. */
  readonly isApp: boolean
  readonly audience: ApiAudience | undefined
  readonly target: TargetRule
  readonly methods: ReadonlySet<string>
  /** `methods` as the value of `allow`. */
  readonly allow: string
  readonly bodyLimitBytes: number
}

/**
 * Methods that are let through unless the route lists its own. TRACE and CONNECT never are: the one echoes our token, the
 * other opens tunnels.
 */
export const usualMethods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Every method that a route answers at all, if only with 405. CONNECT never arrives as a request. */
export const answeredMethods: readonly string[] = METHODS.filter((method) => method !== 'CONNECT')

/** Derives the rules of a route. */
export function createAccessRules(config: RouteConfig, isApp: boolean): AccessRules {
  const methods = new Set(config.methods ?? usualMethods)
  return {
    auth: config.auth,
    isGuarded: config.auth !== 'none',
    isApp,
    audience: config.audience,
    target: createTargetRule(config.prefix, config.upstream),
    methods,
    allow: [...methods].join(', '),
    bodyLimitBytes: config.bodyLimitBytes,
  }
}
