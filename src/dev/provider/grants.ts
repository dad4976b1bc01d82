import type { Grant, Provider, ProviderContext } from 'oidc-provider'
import { allowsOffline, permissionsOf } from './audience.ts'
import { type DemoTenant, userinfoAudience } from './options.ts'

/** Grants without questions, and what has to be remembered about them. */
export interface Grants {
  /** A new grant for each authorization, so that revoking one refresh-token family leaves the others alone. */
  create(ctx: ProviderContext): Promise<Grant | undefined>
  /** Whether the grant carries `offline_access`. */
  isOffline(grantId: string): boolean
}

/** Creates the consent-free grants of first-party applications. */
export function createGrants(tenant: DemoTenant, getProvider: () => Provider): Grants {
  const offline = new Set<string>()
  return {
    async create(ctx) {
      const { account, client } = ctx.oidc
      if (account === undefined) return undefined
      const GrantModel = getProvider().Grant
      const grant = new GrantModel({ accountId: account.accountId, clientId: client.clientId })
      grantScopes(tenant, grant, ctx, account.accountId)
      await grant.save()
      if (allowsOffline(tenant, ctx)) offline.add(grant.jti)
      return grant
    },
    isOffline: (grantId) => offline.has(grantId),
  }
}

/** RBAC: the scope of an API is what was asked for and is assigned. A scope that is neither granted nor rejected would ask for ever. */
function grantScopes(tenant: DemoTenant, grant: Grant, { oidc }: ProviderContext, userId: string): void {
  const identityScope = [...oidc.requestParamOIDCScopes].join(' ')
  grant.addOIDCScope(identityScope)
  for (const [identifier, server] of Object.entries(oidc.resourceServers)) {
    grant.addResourceScope(identifier, identityScope)
    if (identifier === userinfoAudience(tenant)) continue
    const assigned = permissionsOf(tenant, userId, identifier)
    for (const scope of oidc.requestParamScopes) {
      if (!server.scopes.has(scope) || oidc.requestParamOIDCScopes.has(scope)) continue
      if (assigned.includes(scope)) grant.addResourceScope(identifier, scope)
      else grant.rejectResourceScope(identifier, scope)
    }
  }
}
