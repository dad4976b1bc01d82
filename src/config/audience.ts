import type { RouteAudience } from './routes/route.ts'

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
