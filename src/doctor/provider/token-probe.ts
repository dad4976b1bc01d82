import { randomBytes } from 'node:crypto'
import type { Config } from '../../config/load-config.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { factsIn, type RefusalFacts } from '../../oidc/provider/failures/refusal.ts'
import type { Provider } from '../../oidc/provider/provider.ts'
import { bindingOf } from '../../oidc/tokens/binding.ts'
import type { Identity } from '../../oidc/tokens/token-set.ts'
import { createDpopKey } from '../../signing/dpop-key.ts'

/** How the token endpoint answers a grant that cannot succeed. */
export type TokenAnswer =
  /** `invalid_grant`: it has accepted the client, and refused only the grant. */
  | { readonly kind: 'client_accepted' }
  | (Refusal & { readonly kind: 'client_refused' })
  | (Refusal & { readonly kind: 'unclear' })
  | (Refusal & { readonly kind: 'unreachable' })

interface Refusal {
  readonly error: string
  /** The provider's own words, if it has said any. */
  readonly facts: RefusalFacts
}

/** Of no use to anybody; providers with a fixed length of codes see one that is well-formed. */
const madeUp = (): string => randomBytes(32).toString('base64url')

/** Redeems a code that was never issued, exactly as the gateway redeems real ones. */
export async function probeCodeGrant(provider: Provider, now: () => number): Promise<TokenAnswer> {
  const state = madeUp()
  const query = new URLSearchParams({ code: madeUp(), state, iss: provider.issuer })
  const transaction = {
    state,
    nonce: madeUp(),
    codeVerifier: madeUp(),
    returnTo: '/',
    startedAtMs: now(),
    maxAgeSeconds: undefined,
    acrValues: undefined,
    endsSession: undefined,
  }
  try {
    await provider.completeLogin(query.toString(), transaction)
    return { kind: 'unclear', error: 'a made-up code was accepted', facts: {} }
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown
    const { code, context } = thrown
    const error = typeof context.reason === 'string' ? context.reason : code
    const facts = factsIn(context)
    if (code === 'provider_unavailable') return { kind: 'unreachable', error, facts }
    if (code === 'provider_rejected') return rejected(error, facts)
    return error === 'invalid_grant' ? { kind: 'client_accepted' } : { kind: 'unclear', error, facts }
  }
}

/** Redeems a refresh token that was never issued. */
export async function probeRefreshGrant(
  provider: Provider,
  { audience, tokenBinding, providerTimeout }: Pick<Config, 'audience' | 'tokenBinding' | 'providerTimeout'>,
): Promise<TokenAnswer> {
  const outcome = await provider.refresh({
    refreshToken: madeUp(),
    identity: nobody(provider),
    audience,
    binding: tokenBinding === 'dpop' ? bindingOf(createDpopKey()) : undefined,
    deadlineMs: providerTimeout * 1_000,
  })
  switch (outcome.kind) {
    case 'refused':
      return { kind: 'client_accepted' }
    case 'rejected':
      return rejected(outcome.error, outcome.facts)
    case 'unavailable':
      return { kind: 'unreachable', error: outcome.error, facts: outcome.facts ?? {} }
    default:
      return { kind: 'unclear', error: outcome.kind, facts: {} }
  }
}

/** Errors that say something about the client, not about the request (RFC 6749 section 5.2); `access_denied` is Auth0's. */
const clientErrors =
  /^(?:invalid_client|unauthorized_client|access_denied|unsupported_grant_type|status_401|challenge_401)$/

function rejected(error: string, facts: RefusalFacts = {}): TokenAnswer {
  return { kind: clientErrors.test(error) ? 'client_refused' : 'unclear', error, facts }
}

function nobody(provider: Provider): Identity {
  return {
    issuer: provider.issuer,
    subject: 'nobody',
    providerSessionId: undefined,
    loginIssuedAtSeconds: 0,
    authTimeSeconds: undefined,
    acr: undefined,
    claims: {},
  }
}
