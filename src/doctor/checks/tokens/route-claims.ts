import type { Check } from '../../check.ts'
import { type Finding, pass, warn } from '../../finding.ts'
import { loginReport } from '../../login/login-report.ts'
import type { RouteClaims } from '../../login/route-claims.ts'
import { plainText } from '../../plain-text.ts'

/** Claims that a route reads (`require`, `identityHeaders`, `claims`) are there: a name that no token has lets nobody in. */
export const routeClaimsCheck: Check = {
  id: 'route.claims',
  async examine(context) {
    const { routeClaims } = await loginReport(context)
    return routeClaims.map((found) => ({
      ...describe(found, context.config.userinfo),
      subject: found.prefix,
    }))
  },
}

function describe({ identity, accessToken }: RouteClaims, userinfo: boolean): Finding {
  const where = userinfo ? 'neither the ID token nor the userinfo endpoint has' : 'the ID token has no'
  const missing = [...told(where, identity), ...told('the access token has no', accessToken ?? [])]
  if (missing.length > 0)
    return warn(
      `Of the user who signed in, ${missing.join('; ')}: the route refuses whoever lacks what require asks for, and hands on nothing that is not there.`,
      `If others have it, all is well. Else let the provider put it there (SCOPE, mappers, claims policies${userinfo ? '' : '; USERINFO=on if it stands there'}), or correct the name in the route.`,
    )
  if (accessToken === undefined)
    return {
      status: 'skip',
      summary: 'The access token could not be verified, so what it lacks for the route is not known.',
    }
  return pass('The claims that the route reads are there.')
}

function told(where: string, names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : [`${where} ${plainText(names.join(', '))}`]
}
