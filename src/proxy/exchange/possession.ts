import type { ProofPlace, UpstreamProofs } from '../../access/tokens/upstream-proofs.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { AccessToken } from '../../oidc/tokens/token-set.ts'
import type { SessionView } from '../../session/record/session.ts'
import type { ExchangeRequest } from './exchange-context.ts'

/** A route whose API may ask for proofs. */
export interface PossessionContext {
  readonly route: { readonly proof: ProofPlace; readonly prefix: string }
  readonly proofs: UpstreamProofs
}

/** Whether tokens of this session go with a proof. */
export function isProved(session: SessionView | undefined): boolean {
  return session?.binding?.kind === 'dpop'
}

/** The proof for one attempt; each has one of its own. `undefined` for a bearer token. */
export function proofOf(
  { route, proofs }: PossessionContext,
  { request, admission }: Pick<ExchangeRequest, 'request' | 'admission'>,
  token: AccessToken | undefined,
  demandedNonce: string | undefined,
): string | undefined {
  if (token?.boundTo === undefined) return undefined
  const { target, session } = admission
  return proofs.proofFor(route.proof, { method: request.method, target, session, demandedNonce }, token)
}

const unauthorized = 401
const nonceHeader = 'dpop-nonce'

/** Takes note of the nonce in the head of an answer. Returns it when the answer is a refusal; `undefined` when there is none. */
export function learnNonce(
  { route, proofs }: PossessionContext,
  status: number,
  rawHeaders: readonly (Buffer | string)[],
): string | undefined {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length !== nonceHeader.length || textOf(name).toLowerCase() !== nonceHeader) continue
    const nonce = textOf(rawHeaders[at + 1])
    const isDemanded = status === unauthorized
    const isNonce = proofs.learn(route.proof, nonce, isDemanded)
    return isDemanded && isNonce ? nonce : undefined
  }
  return undefined
}

function textOf(value: Buffer | string | undefined): string {
  return typeof value === 'string' ? value : (value?.toString('latin1') ?? '')
}

/** The API asked for another nonce, and the request cannot be sent again, or was. By now the nonce is known: the next one has it. */
export function nonceWanted({ route }: PossessionContext): GatewayError {
  return new GatewayError('upstream_nonce', { context: { route: route.prefix } })
}
