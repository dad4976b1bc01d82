import { setTimeout as sleep } from 'node:timers/promises'
import { isLoopback } from '../../config/settings/kinds/address.ts'
import { redirectUri } from '../../oidc/login/login.ts'
import { createProvider } from '../../oidc/provider/create-provider.ts'
import type { CompletedLogin, Provider } from '../../oidc/provider/provider.ts'
import { readTokenFacts } from '../../oidc/tokens/token-facts.ts'
import type { DoctorContext } from '../check.ts'
import { type Finding, fail } from '../finding.ts'
import { authorizationAnswer } from '../provider/authorization-answer.ts'
import { quietTelemetry } from '../quiet-telemetry.ts'
import { tryApis } from './api-trials.ts'
import { faultOf } from './fault-of.ts'
import { describeLoginFailure } from './login-failure.ts'
import type { LoginOutcome, LoginReport } from './login-report.ts'
import { openLoginSite } from './login-site.ts'
import { tryRefreshes } from './refresh-trials.ts'
import { findMissingClaims } from './route-claims.ts'
import { verdictOf } from './signature-verdict.ts'

/** How doctor and the person who signs in find each other. */
export interface LoginDesk {
  /** Shows the address to open. */
  readonly announce: (url: string) => void
  /** How long somebody may take, milliseconds. */
  readonly waitMs: number
}

type Context = Pick<DoctorContext, 'config' | 'hints' | 'now' | 'provider'>

/**
 * Has somebody sign in once on loopback, and looks at what comes. All tokens stay in here, and the refresh token is revoked.
 *
 * @throws SkipCheck when the gateway could not use the provider
 */
export async function realLogin(context: Context, desk: LoginDesk): Promise<LoginOutcome> {
  await context.provider()
  const { config } = context
  const baseUrl = loopbackOrigin(config)
  const options = {
    ...config,
    baseUrl,
    // Unusable access tokens are to be explained, not refused.
    accessTokenFormat: 'any' as const,
    userClaims: config.identityClaims,
  }
  const provider = createProvider(options, { telemetry: quietTelemetry(), now: context.now })
  try {
    const obstacle = await findObstacle(context, baseUrl)
    return obstacle === undefined ? await attempt(context, provider, baseUrl, desk) : { finding: obstacle }
  } finally {
    await provider.close()
  }
}

function loopbackOrigin({ baseUrl, port }: Context['config']): URL {
  return isLoopback(baseUrl) ? baseUrl : new URL(`http://localhost:${port}`)
}

/** Away from loopback the login needs a redirect URI of its own, which the provider may not know. */
async function findObstacle(context: Context, baseUrl: URL): Promise<Finding | undefined> {
  const { config, hints, now } = context
  if (baseUrl === config.baseUrl) return undefined
  const uri = redirectUri({ baseUrl, authPrefix: config.authPrefix })
  const answer = await authorizationAnswer(config, baseUrl, now)
  if (answer.kind !== 'refused_page') return undefined
  return fail(
    `BASE_URL is not on loopback, so the login comes back to ${uri}, which the provider does not know.`,
    `The callback URL to register besides, for as long as you try this, is ${uri}. ${hints.redirectUri}`,
  )
}

async function attempt(
  context: Context,
  provider: Provider,
  baseUrl: URL,
  desk: LoginDesk,
): Promise<LoginOutcome> {
  const site = await openLoginSite(context.config, baseUrl, provider)
  if (site === undefined) return { finding: portTaken(context.config) }
  const patience = new AbortController()
  try {
    desk.announce(site.url.href)
    const late = sleep(desk.waitMs, undefined, { signal: patience.signal }).catch(() => undefined)
    const login = await Promise.race([site.completed, late])
    if (login === undefined) return { finding: nobodyCame(desk.waitMs) }
    return { report: await describe(context, provider, login) }
  } catch (error) {
    return { finding: describeLoginFailure(error, context) }
  } finally {
    patience.abort()
    await site.close()
  }
}

function portTaken({ host, port }: Context['config']): Finding {
  return fail(
    `The login needs ${host} port ${port}, which another program holds, perhaps the gateway.`,
    'Stop it while you try the login.',
  )
}

function nobodyCame(waitMs: number): Finding {
  return fail(
    `Nobody signed in within ${Math.round(waitMs / 1_000)} s.`,
    'Run coatcheck doctor --login again and open the address that it shows.',
  )
}

async function describe(context: Context, provider: Provider, login: CompletedLogin): Promise<LoginReport> {
  const { config } = context
  const { accessToken: token, identity } = login
  const accessToken = readTokenFacts(token.value)
  const { trials, tokens, refreshToken } = await tryRefreshes(context, provider, login)
  const fault = faultOf(context, accessToken, config.audience)
  // The gateway would not send one that no API can use.
  const held = new Map(fault === undefined ? [...tokens, [config.audience.key, token]] : tokens)
  const report: LoginReport = {
    accessToken,
    signature: await verdictOf(provider, token.value, config.audience),
    isSameUser: accessToken.subject === undefined || accessToken.subject === identity.subject,
    aheadMs: identity.loginIssuedAtSeconds * 1_000 + halfASecondMs - token.obtainedAtMs,
    missingClaims: config.userClaims.filter((name) => identity.claims[name] === undefined),
    routeClaims: findMissingClaims(config.routes, {
      identity: identity.claims,
      accessTokenOf: ({ audience = config.audience }) =>
        audience.key === config.audience.key ? token.claims : tokens.get(audience.key)?.claims,
    }),
    apis: await tryApis(config, provider, { byApi: held, binding: login.binding }, context.now),
    fault,
    lifeSeconds: Math.round((token.expiresAtMs - token.obtainedAtMs) / 1_000),
    refreshes: trials,
    namesProviderSession: identity.providerSessionId !== undefined,
  }
  if (refreshToken !== undefined) await provider.revoke(refreshToken, 'logout')
  return report
}

/** `iat` is cut off to whole seconds. */
const halfASecondMs = 500
