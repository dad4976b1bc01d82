import type { ProviderContext } from 'oidc-provider'
import { paths } from './configuration.ts'
import type { DemoTenant } from './options.ts'

/** Rewrites the answers in which Auth0 and the specifications differ. */
export function shapeAnswer(tenant: DemoTenant, ctx: ProviderContext): void {
  if (ctx.path === paths.token && ctx.status >= 400) shapeTokenError(ctx)
  if (ctx.path === '/.well-known/openid-configuration' && !tenant.endSessionDiscovery) {
    const { end_session_endpoint: _hidden, ...rest } = ctx.body as Record<string, unknown>
    ctx.body = rest
  }
}

/** Auth0: a dead code or refresh token is 403, a wrong secret 401 `access_denied`. */
function shapeTokenError(ctx: ProviderContext): void {
  const { error } = ctx.body as { error?: string }
  if (error === 'invalid_grant') {
    const isRefresh = ctx.oidc.params.grant_type === 'refresh_token'
    ctx.status = 403
    ctx.body = {
      error,
      error_description: isRefresh ? 'Unknown or invalid refresh token.' : 'Invalid authorization code',
    }
  }
  if (error === 'invalid_client') {
    ctx.status = 401
    ctx.body = { error: 'access_denied', error_description: 'Unauthorized' }
  }
}
