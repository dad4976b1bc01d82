import type { Check, DoctorContext } from '../../check.ts'
import { type Finding, fail, pass, SkipCheck } from '../../finding.ts'
import { quoted } from '../../plain-text.ts'
import type { AuthorizationAnswer } from '../../provider/authorization-probe.ts'
import { textOf } from '../../provider/discovery.ts'

/** The provider knows the API for which the login asks. */
export const audienceCheck: Check = {
  id: 'audience',
  async examine(context) {
    const own = await ownAddress(context)
    return own === undefined ? describe(await context.authorization(), context) : own
  },
}

/** Endpoints of a provider that somebody may take for the API. */
const endpoints = ['userinfo_endpoint', 'issuer', 'token_endpoint', 'authorization_endpoint'] as const

/** A provider that is asked for a token for itself gives one that only it can use. */
async function ownAddress(context: DoctorContext): Promise<Finding | undefined> {
  const document = await context.metadata()
  const { issuerUrl, audience, routes } = context.config
  const own = new Set([
    ...endpoints.map((name) => bare(textOf(document, name))),
    bare(`${bare(issuerUrl)}/userinfo`),
    ...(context.hints.name === 'Auth0' ? [bare(new URL('/api/v2', issuerUrl).href)] : []),
  ])
  const asked = [audience, ...routes.map((route) => route.audience)].flatMap((each) => each?.accepted ?? [])
  const found = asked.find((each) => own.has(bare(each)))
  if (found === undefined) return undefined
  return fail(
    `The API audience ${quoted(found)} is an address of the provider itself: a token for it is good for the provider alone, and no API of yours can verify it.`,
    `Register your API at the provider, and set API_AUDIENCE to its identifier. ${context.hints.accessToken('wrong_audience', found)}`,
  )
}

function bare(address: string | undefined): string {
  return (address ?? '').replace(/\/$/, '')
}

function describe(answer: AuthorizationAnswer, { config, hints }: DoctorContext): Finding {
  const { value, parameter } = config.audience
  if (value === undefined)
    return pass('No audience is asked for by a parameter; coatcheck doctor --login shows what tokens hold.')
  switch (answer.kind) {
    case 'unreachable':
    case 'refused_page':
      throw new SkipCheck('The provider refuses the authorization request before it looks at the audience.')
    case 'refused':
      if (answer.about !== 'audience')
        throw new SkipCheck('The provider refuses the authorization request for another reason.')
      return fail(
        `The provider does not know the API audience ${quoted(value)}.`,
        `Correct API_AUDIENCE. ${hints.accessToken('wrong_audience', value)}`,
      )
    case 'accepted':
    case 'silent_fails':
    case 'login_page':
      return pass(
        hints.name === 'Auth0'
          ? `Auth0 knows the API ${quoted(value)}.`
          : `The provider does not object to ${parameter} ${quoted(value)}; coatcheck doctor --login shows what tokens hold.`,
      )
  }
}
