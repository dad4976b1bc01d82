/**
 * The API behind a route, as the provider knows it: what is asked for, and what is accepted. The same shape as the
 * `ApiAudience` of `oidc/tokens/token-set.ts`, which this folder may not import.
 */
export interface RouteAudience {
  /** Names the API in the session record; the same API has the same key in every route and after every restart. */
  readonly key: string
  /** Value of `audience` and/or `resource` (RFC 8707); `undefined` sends neither. */
  readonly value: string | undefined
  readonly parameter: 'audience' | 'resource' | 'both' | 'none'
  /** Any of these in `aud` makes an access token usable; empty: not checked. */
  readonly accepted: readonly string[]
  /** Scope to ask for on refresh; `undefined`: what the login asked for. */
  readonly scope: string | undefined
}

/**
 * Describes one API for the provider. The key follows from what is asked for, so that the same API has the same key in every route and
 * on every node.
 *
 * @param accepted identifiers of the API: the first is asked for, any is accepted; empty: nothing is checked
 * @param scope scope of its own to ask for on refresh
 */
export function describeAudience(
  accepted: readonly string[],
  parameter: RouteAudience['parameter'],
  scope: string | undefined,
): RouteAudience {
  const name = accepted[0] ?? 'default'
  return Object.freeze({
    key: scope === undefined ? name : `${name} ${scope}`,
    value: parameter === 'none' ? undefined : accepted[0],
    parameter,
    accepted,
    scope,
  })
}
