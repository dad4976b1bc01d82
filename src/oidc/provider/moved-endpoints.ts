import type { ServerMetadata } from 'openid-client'
import { failureCode } from '../../network/failure-code.ts'
import type { BoundedFetch, ProviderEndpoint } from '../../network/provider-network.ts'
import { calledEndpoint, type EndpointMember } from './endpoints.ts'
import type { ProviderOptions } from './options.ts'

const memberOf = {
  discovery: undefined,
  keys: 'jwks_uri',
  token: 'token_endpoint',
  revocation: 'revocation_endpoint',
  userinfo: 'userinfo_endpoint',
  pushed_authorization: 'pushed_authorization_request_endpoint',
} as const satisfies Readonly<Record<ProviderEndpoint, EndpointMember | undefined>>

/** Statuses of a server that has no such endpoint, or has it elsewhere: nothing was done. */
const movedStatuses = new Set([301, 302, 303, 307, 308, 404, 405, 410, 421])

/** No connection came about, so nothing was sent. */
const unreachableCodes =
  /^(?:ENOTFOUND|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EAI_\w+|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_\w+|CERT_\w+|DEPTH_\w+|SELF_\w+|UNABLE_\w+)$/

/** What is known about the provider, and how to look again. */
export interface KnownMetadata {
  readonly options: Pick<ProviderOptions, 'clientCertificate' | 'issuerUrl'>
  metadata(): ServerMetadata | undefined
  /** Discovers anew, unless that was just done. */
  lookAgain(): Promise<void>
}

/**
 * A `fetch` that follows an endpoint which has moved since the metadata were read: it looks at them again, and when they name another
 * address the same request goes there, once. Only where the first one has certainly done nothing.
 */
export function followingMoves(
  fetch: BoundedFetch,
  endpoint: ProviderEndpoint,
  known: KnownMetadata,
): BoundedFetch {
  const member = memberOf[endpoint]
  if (member === undefined) return fetch
  return async (url, init) => {
    const settled = await settle(fetch(url, init))
    if (!seemsMoved(settled)) return outcomeOf(settled)
    await known.lookAgain()
    const announced = calledEndpoint({ ...known.metadata() }, member, known.options)
    if (announced === undefined || announced.href === new URL(url).href) return outcomeOf(settled)
    return fetch(announced.href, init)
  }
}

type Settled = PromiseSettledResult<Response>

async function settle(answer: Promise<Response>): Promise<Settled> {
  const [settled] = await Promise.allSettled([answer])
  return settled
}

function seemsMoved(settled: Settled): boolean {
  return settled.status === 'fulfilled'
    ? movedStatuses.has(settled.value.status)
    : unreachableCodes.test(failureCode(settled.reason) ?? '')
}

function outcomeOf(settled: Settled): Response {
  if (settled.status === 'fulfilled') return settled.value
  throw settled.reason
}
