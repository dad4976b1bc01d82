import type { IncomingHttpHeaders } from 'node:http'
import { createTrustedNetworks, findClient, type RequestOrigin } from './client-address.ts'

/** What limits read of a request: the addresses that it came from. One of Fastify's is such a one. */
export interface LimitedRequest {
  readonly headers: IncomingHttpHeaders
  /**
   * The peer's own address first, then those that trusted proxies vouch for; `undefined` without `TRUST_PROXY`. A peer that came by no network has no
   * address.
   */
  readonly ips?: readonly (string | undefined)[] | undefined
  readonly raw: { readonly socket: { readonly remoteAddress?: string | undefined } }
}

/** Where a request came from. */
export function originOf({ ips, raw, headers }: LimitedRequest): RequestOrigin {
  const forwardedFor = headers['x-forwarded-for']
  return {
    addresses: (ips ?? [raw.socket.remoteAddress]).map((address = '') => address),
    untrustedForwardedFor: Array.isArray(forwardedFor) ? forwardedFor.join() : forwardedFor,
  }
}

/** Names the address that a request counts for; `undefined` where it cannot be told from others. */
export type AddressKey = (request: LimitedRequest) => string | undefined

/**
 * Makes the names of addresses. Who keeps a connection usually keeps the address, so the last one is remembered with each.
 *
 * @param trustProxy `TRUST_PROXY`
 */
export function createAddressKey(trustProxy: readonly string[]): AddressKey {
  const trusted = createTrustedNetworks(trustProxy)
  const lastKeys = new WeakMap<
    object,
    { readonly forwardedFor: string | undefined; readonly key: string | undefined }
  >()
  return (request) => {
    const { socket } = request.raw
    const header = request.headers['x-forwarded-for']
    const forwardedFor = Array.isArray(header) ? header.join() : header
    const last = lastKeys.get(socket)
    if (last !== undefined && last.forwardedFor === forwardedFor) return last.key
    const client = findClient(originOf(request), trusted)
    const key = 'key' in client ? client.key : undefined
    lastKeys.set(socket, { forwardedFor, key })
    return key
  }
}
