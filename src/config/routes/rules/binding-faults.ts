import type { ConfigFault } from '../../config-error.ts'
import type { RouteConfig } from '../route.ts'

/** The setting that routes have to fit. */
interface BindingSettings {
  readonly tokenBinding: 'none' | 'dpop' | 'mtls'
}

interface Rule {
  readonly kinds: readonly BindingSettings['tokenBinding'][]
  readonly isBroken: (route: RouteConfig) => boolean
  /** What stands between the route's prefix and the remedy. */
  readonly problem: string
  readonly example: string
}

const rules: readonly Rule[] = [
  {
    kinds: ['dpop', 'mtls'],
    isBroken: ({ access }) => access.token === 'user' && access.callers.includes('bearer'),
    problem: 'lets callers with tokens of their own in and passes those on, which nothing binds to us',
    example: 'token: exchange',
  },
  {
    kinds: ['mtls'],
    isBroken: ({ upstream }) => upstream === 'external',
    problem: 'is carried by another proxy, which does not show our certificate',
    example: 'TOKEN_BINDING=dpop',
  },
  {
    kinds: ['mtls'],
    isBroken: ({ upstream }) => upstream !== 'external' && upstream.protocol !== 'https:',
    problem: 'leads to http, where no certificate is shown',
    example: 'upstream: https://api.example.com',
  },
  {
    kinds: ['mtls'],
    isBroken: ({ tls }) => tls?.certPem !== undefined,
    problem: 'shows its API another certificate than CLIENT_CERTIFICATE',
    example: 'CLIENT_CERTIFICATE_FILE=client.pem',
  },
  {
    kinds: ['dpop'],
    isBroken: ({ upstream, proofUrl }) => upstream === 'external' && proofUrl === undefined,
    problem: 'is carried by another proxy, and proofs must name the address of its API (proofUrl)',
    example: 'proofUrl: https://api.example.com',
  },
]

/** Routes that cannot send tokens which are bound to us (DESIGN-2 section 5), one fault each. */
export function bindingFaults(
  routes: readonly RouteConfig[],
  { tokenBinding }: BindingSettings,
): readonly ConfigFault[] {
  return routes.filter(sendsSessionTokens).flatMap((route) =>
    rules
      .filter(({ kinds, isBroken }) => kinds.includes(tokenBinding) && isBroken(route))
      .map(({ problem, example }) => ({
        name: 'TOKEN_BINDING',
        problem: `cannot be ${tokenBinding}: ${route.prefix} ${problem}`,
        example,
      })),
  )
}

/** The gateway's own tokens, and those minted here, follow their own kind. */
function sendsSessionTokens({ auth, access: { token } }: RouteConfig): boolean {
  return auth !== 'none' && (token === 'user' || token === 'exchange')
}
