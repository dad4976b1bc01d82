import { BlockList, isIP } from 'node:net'
import type { Arrival } from './echo.ts'

/** What a proxy in front says about the request. */
export interface Forwarding {
  /** Whether anything stands between the browser and the gateway. */
  readonly isProxied: boolean
  /** Whether the connection's other end is in `TRUST_PROXY`. */
  readonly isPeerTrusted: boolean
  /** What became of the forged `X-Forwarded-For` that was sent. */
  readonly clientAddress: 'appended' | 'replaced' | 'unchanged' | 'missing'
  /** `X-Forwarded-Proto`, if there is one. */
  readonly untrustedProtocol: string | undefined
}

const signsOfProxy = [
  'via',
  'forwarded',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
]

/**
 * Reads who stands in front from a request that arrived.
 *
 * @param forged the only `X-Forwarded-For` that was sent
 * @param isTlsExpected whether the browser speaks https, which the listener does not
 */
export function readForwarding(
  { peer, headers }: Arrival,
  forged: string,
  trustProxy: readonly string[],
  isTlsExpected: boolean,
): Forwarding {
  const hops = [headers['x-forwarded-for']]
    .flat()
    .join(',')
    .split(',')
    .map((hop) => hop.trim())
  const known = hops.filter((hop) => hop !== '')
  const clientAddress = fateOf(known, forged)
  const protocol = headers['x-forwarded-proto']
  return {
    isProxied:
      isTlsExpected ||
      clientAddress !== 'unchanged' ||
      signsOfProxy.some((name) => headers[name] !== undefined),
    isPeerTrusted: isWithin(peer, trustProxy),
    clientAddress,
    untrustedProtocol: typeof protocol === 'string' ? protocol.split(',')[0]?.trim() : undefined,
  }
}

function fateOf(hops: readonly string[], forged: string): Forwarding['clientAddress'] {
  if (hops.length === 0) return 'missing'
  if (hops.at(-1) === forged) return 'unchanged'
  return hops.includes(forged) ? 'appended' : 'replaced'
}

/** Whether an address is one of these, or in one of these networks. */
export function isWithin(address: string, networks: readonly string[]): boolean {
  const family = familyOf(address)
  if (family === undefined) return false
  const list = new BlockList()
  for (const network of networks) {
    const [base = '', bits] = network.split('/')
    const type = familyOf(base)
    if (type !== undefined && bits === undefined) list.addAddress(base, type)
    else if (type !== undefined) list.addSubnet(base, Number(bits), type)
  }
  return list.check(address, family)
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  if (version === 0) return undefined
  return version === 4 ? 'ipv4' : 'ipv6'
}
