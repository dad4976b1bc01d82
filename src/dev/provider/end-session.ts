import type { Client, Provider, ProviderContext, Session } from 'oidc-provider'
import type { DemoTenant } from './options.ts'

/** Auth0's older logout: `returnTo` instead of `post_logout_redirect_uri`, no hint, no state. */
export const legacyLogoutPath = '/v2/logout'

/** A logout request whose parameters have been checked. */
interface EndSessionRequest {
  readonly client: Client | undefined
  readonly redirectUri: string | undefined
}

/**
 * Auth0's `/oidc/logout`: never asks when there is a hint, tells every application of the session through the back channel, revokes
 * no refresh token, returns with `state`.
 */
export async function endSession(
  tenant: DemoTenant,
  provider: Provider,
  ctx: ProviderContext,
  body: URLSearchParams,
): Promise<void> {
  const request = await readRequest(provider, body)
  if (request === undefined) return refuse(ctx)
  const session = await provider.Session.get(ctx)
  if (session.accountId !== undefined) await endSessionOf(tenant, provider, session)
  ctx.cookies.set(provider.cookieName('session'), null)
  if (request.redirectUri === undefined) {
    ctx.body = 'You are signed out.'
    return
  }
  const target = new URL(request.redirectUri)
  const state = ctx.path === legacyLogoutPath ? null : body.get('state')
  if (state !== null) target.searchParams.set('state', state)
  ctx.redirect(target.href)
}

/** Ends the provider's session and sends a logout token to each application that it signed in to. */
export async function endSessionOf(tenant: DemoTenant, provider: Provider, session: Session): Promise<void> {
  const { accountId } = session
  const clients = await Promise.all(
    Object.keys(session.authorizations ?? {}).map((id) => provider.Client.find(id)),
  )
  await session.destroy()
  if (accountId === undefined) return
  const told = clients
    .filter((client) => client !== undefined)
    .filter((client) => hasBackchannel(tenant, client))
  await Promise.all(told.map((client) => notify(session, client, accountId)))
}

const hasBackchannel = (tenant: DemoTenant, { clientId }: Client): boolean =>
  tenant.clients.some((client) => client.clientId === clientId && client.backchannelLogoutUrl !== null)

/** A gateway that is down is no reason not to sign out; Auth0 reports it in its log. */
async function notify(session: Session, client: Client, accountId: string): Promise<void> {
  await client.backchannelLogout(accountId, session.sidFor(client.clientId)).catch(() => undefined)
}

async function readRequest(
  provider: Provider,
  body: URLSearchParams,
): Promise<EndSessionRequest | undefined> {
  const hint = body.get('id_token_hint')
  const clientId = body.get('client_id')
  const client = await provider.Client.find(clientId ?? audienceOf(hint) ?? '')
  const redirectUri = body.get('post_logout_redirect_uri') ?? body.get('returnTo') ?? undefined
  if (hint !== null) {
    if (client === undefined || !(await isValidHint(provider, hint, client))) return undefined
  }
  if (redirectUri !== undefined && !isAllowed(client, redirectUri)) return undefined
  return { client, redirectUri }
}

/** Auth0 leaves the query out of the comparison. */
const isAllowed = (client: Client | undefined, redirectUri: string): boolean =>
  client?.postLogoutRedirectUriAllowed(redirectUri.replace(/[?#].*$/, '')) === true

function audienceOf(untrustedToken: string | null): string | undefined {
  const payload = untrustedToken?.split('.')[1] ?? ''
  try {
    const { aud } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { aud?: unknown }
    return typeof aud === 'string' ? aud : undefined
  } catch {
    return undefined
  }
}

async function isValidHint(provider: Provider, hint: string, client: Client): Promise<boolean> {
  return provider.IdToken.validate(hint, client).then(
    () => true,
    () => false,
  )
}

function refuse(ctx: ProviderContext): void {
  ctx.status = 400
  ctx.body = {
    error: 'invalid_request',
    error_description:
      'The "post_logout_redirect_uri" or the "id_token_hint" is not valid for this application.',
  }
}
