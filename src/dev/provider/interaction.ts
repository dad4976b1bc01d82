import type { Interaction, Provider, ProviderContext } from 'oidc-provider'
import { renderLoginPage } from './login-page.ts'
import type { DemoTenant, DemoUser } from './options.ts'

/** Where the login page is; the rest of the path is the interaction's id. */
export const loginPath = '/u/login/'

/** The login page: shows the users, takes the choice, or signs in by itself. Nothing ever asks for consent. */
export async function interact(
  tenant: DemoTenant,
  provider: Provider,
  ctx: ProviderContext,
  body: URLSearchParams,
): Promise<void> {
  const interaction = await provider.interactionDetails(ctx.req, ctx.res)
  const result = decide(tenant, interaction, ctx.method === 'POST' ? body : undefined)
  if (result === undefined) {
    ctx.type = 'html'
    ctx.set('Cache-Control', 'no-store')
    ctx.body = renderLoginPage(tenant, interaction)
    return
  }
  const resumeUrl = await provider.interactionResult(ctx.req, ctx.res, result)
  ctx.redirect(resumeUrl)
  ctx.status = 303
}

function decide(
  tenant: DemoTenant,
  { prompt, params }: Interaction,
  body?: URLSearchParams,
): object | undefined {
  if (prompt.name === 'consent') return { consent: {} }
  if (body?.get('action') === 'cancel') {
    return { error: 'access_denied', error_description: 'User did not authorize the request' }
  }
  const user = findUser(tenant, body?.get('user')) ?? automaticUser(tenant, params.login_hint)
  return user === undefined ? undefined : { login: loginOf(tenant, user, params) }
}

function loginOf(tenant: DemoTenant, user: DemoUser, params: Interaction['params']): object {
  const acr = (params.acr_values ?? tenant.acrValues[0])?.split(' ', 1)[0]
  // Whoever asks for a fresh sign-in gets one.
  const ageSeconds = params.max_age === undefined ? tenant.knobs.signInAgeSeconds : 0
  const ts = Math.floor(Date.now() / 1_000) - ageSeconds
  return { accountId: user.id, remember: true, ts, ...(acr === undefined ? {} : { acr }) }
}

function automaticUser(tenant: DemoTenant, loginHint: string | undefined): DemoUser | undefined {
  const { autoLogin } = tenant.knobs
  if (autoLogin === undefined) return undefined
  return findUser(tenant, loginHint) ?? findUser(tenant, autoLogin)
}

function findUser(tenant: DemoTenant, idOrEmail: string | null | undefined): DemoUser | undefined {
  return tenant.users.find((user) => user.id === idOrEmail || user.email === idOrEmail)
}
