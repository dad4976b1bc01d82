import { readOriginal } from '../../../check/original-request.ts'
import type { Config } from '../../../config/load-config.ts'
import { isProxied } from '../../../config/routes/route.ts'
import { GatewayError } from '../../../errors/gateway-error.ts'
import type { Check } from '../../check.ts'
import { type Finding, fail, pass, SkipCheck, warn } from '../../finding.ts'
import { browserHeaders } from '../../front/browser-request.ts'
import { type ArrivedQuestion, watchQuestion } from '../../front/question.ts'

const page = 'docs/forward-auth.md has what to remove, deploy/ whole configurations.'
const forgedValue = 'forged-by-doctor'
/** Headers by which other sign-in proxies say who the user is, and apps behind them may still believe it. */
const usualNames = ['x-auth-request-user', 'x-auth-request-email', 'x-forwarded-user', 'remote-user']

/** With forward-auth: no header that a browser writes to pass for somebody gets past the proxy that carries. */
export const proxyForgedHeadersCheck: Check = {
  id: 'proxy.forged-headers',
  async examine(context) {
    const { config } = context
    const carried = config.routes.find((route) => !isProxied(route))
    if (config.forwardAuthPort === undefined || carried === undefined) return []
    const names = forgeable(config)
    const forged = Object.fromEntries(names.map((name) => [name, forgedValue]))
    const found = await watchQuestion(context, `${carried.prefix}/`, {
      ...browserHeaders(context),
      ...forged,
    })
    if (found.kind === 'taken')
      throw new SkipCheck('A gateway runs; stop it for a moment and run coatcheck doctor again to see this.')
    if (found.kind === 'silent')
      return warn(
        `Nobody asks at FORWARD_AUTH_PORT about ${carried.prefix === '' ? '/' : carried.prefix}: what stands in front carries it unasked, or does not lead here.`,
        `Let it ask; ${page}`,
      )
    return describe(found, names, config)
  },
}

/** The routes' identity headers, their twins with another sign for the hyphen, and the usual ones. */
function forgeable({ routes }: Config): readonly string[] {
  const own = routes.flatMap(({ access }) => access.identityHeaders.map(([name]) => name.toLowerCase()))
  const twins = ['_', '.'].flatMap((sign) => own.map((name) => name.replaceAll('-', sign)))
  return [...new Set([...own, ...twins, ...usualNames])]
}

function describe(question: ArrivedQuestion, names: readonly string[], config: Config): Finding {
  const lacking = lackOf(question, config)
  if (lacking !== undefined)
    return fail('The proxy in front does not say what it asks about, so everything is refused.', lacking)
  const through = names.filter((name) => question.headers[name] === forgedValue)
  if (through.length === 0) return pass('No header that a browser writes to pass for somebody gets through.')
  return fail(
    `The proxy in front lets ${through.join(', ')} through as a browser writes it: where our answer has none, the app believes it.`,
    `Remove it before asking; ${page}`,
  )
}

function lackOf(question: ArrivedQuestion, { forwardAuthHeaders }: Config): string | undefined {
  try {
    readOriginal({ headers: question.headers, rawHeaders: [...question.rawHeaders] }, forwardAuthHeaders)
    return undefined
  } catch (error) {
    return error instanceof GatewayError ? String(error.context.lacks) : undefined
  }
}
