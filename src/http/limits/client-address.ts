import { BlockList, isIP } from 'node:net'

/** Where a request came from, as far as the connection and its headers tell. */
export interface RequestOrigin {
  /** The peer, and whoever trusted proxies vouch for, the nearest first. */
  readonly addresses: readonly string[]
  readonly untrustedForwardedFor: string | undefined
}

/** Why it cannot be said whose address a request's is. Limiting it could lock out everybody behind one proxy. */
export type UnknownReason =
  /** A private address outside `TRUST_PROXY`: most likely a proxy that was forgotten there. */
  | 'private'
  /** Nobody is trusted, and the peer hands on addresses of others. */
  | 'forwards'
  /** A trusted proxy does not say whom it serves. */
  | 'silent'
  /** Not an address at all. */
  | 'malformed'

/** Whom a request counts for: the key of a limit, or why there is none. */
export type ClientAddress = { readonly key: string } | { readonly unknown: UnknownReason }

/** Networks of `TRUST_PROXY`, as {@link findClient} asks them. */
export interface TrustedNetworks {
  readonly isEmpty: boolean
  has(address: string): boolean
}

const privateNetworks = networks([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::/127',
  'fc00::/7',
  'fe80::/10',
])

/** Whether an address is of a network that the internet does not route (RFC 6890): loopback, private, link-local, carrier NAT. */
export function isPrivateAddress(address: string): boolean {
  return has(privateNetworks, address)
}

/** The networks of `TRUST_PROXY`: addresses and CIDR networks that the settings have checked. */
export function createTrustedNetworks(cidrs: readonly string[]): TrustedNetworks {
  const list = networks(cidrs)
  return { isEmpty: cidrs.length === 0, has: (address) => has(list, address) }
}

function networks(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

function has(list: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/**
 * Whom a request counts for: the first address that no trusted proxy vouches for others from.
 *
 * An address that forwards for others although nobody trusts it is not limited where that is most likely a proxy that `TRUST_PROXY` lacks.
 * With `TRUST_PROXY` set, a public address is limited whatever it claims: anybody may send the header.
 */
export function findClient(origin: RequestOrigin, trusted: TrustedNetworks): ClientAddress {
  const { addresses, untrustedForwardedFor } = origin
  const address = plainAddress(addresses.at(-1) ?? '')
  if (address === undefined) return { unknown: 'malformed' }
  const isPeer = addresses.length <= 1
  const claims = untrustedForwardedFor === undefined ? 0 : untrustedForwardedFor.split(',').length
  const forwards = claims > addresses.length - 1
  if (trusted.has(address)) return { unknown: 'silent' }
  if (isPrivateAddress(address) && (isPeer || forwards)) return { unknown: 'private' }
  if (isPeer && forwards && trusted.isEmpty) return { unknown: 'forwards' }
  return { key: toKey(address) }
}

/**
 * The addresses of a request, the peer's first, then what trusted proxies say about whom they serve, the nearest first; as far as each
 * is trusted.
 */
export function addressesOf(
  peer: string,
  untrustedForwardedFor: string | undefined,
  trusted: TrustedNetworks,
): string[] {
  const addresses = [peer]
  const claimed = untrustedForwardedFor?.split(',').reverse() ?? []
  for (const claim of claimed) {
    if (!isOfNetworks(addresses.at(-1), trusted)) break
    addresses.push(claim.trim())
  }
  return addresses
}

const withPort = /^(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/

/** Whether an address, as a socket or a header says it, is of one of these networks. */
export function isOfNetworks(untrusted: string | undefined, trusted: TrustedNetworks): boolean {
  const address = untrusted === undefined ? undefined : plainAddress(untrusted)
  return address !== undefined && trusted.has(address)
}

/** The bare address: some proxies add a port, dual-stack sockets a prefix, link-local ones a zone. */
function plainAddress(untrusted: string): string | undefined {
  const parts = withPort.exec(untrusted.trim())
  const bare = (parts?.[1] ?? parts?.[2] ?? untrusted.trim()).split('%', 1)[0] ?? ''
  if (isIP(bare) === 0) return undefined
  return isIP(bare) === 4 ? bare : (embeddedIpv4(groupsOf(bare)) ?? bare)
}

/** One subscriber usually has a whole /64 to choose addresses from (RFC 6177), so that is what counts. */
function toKey(address: string): string {
  if (isIP(address) === 4) return address
  const network = groupsOf(address).slice(0, 4)
  return `${network.map((group) => group.toString(16)).join(':')}::/64`
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): readonly number[] {
  // The URL parser writes every form of an address in one way, an embedded IPv4 address included.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const read = (text: string | undefined): number[] =>
    text === undefined || text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const [first, last] = [read(head), read(tail)]
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last]
}

const mappedPrefix = [0, 0, 0, 0, 0, 0xffff].join()
const translatedPrefix = [0x64, 0xff9b, 0, 0, 0, 0].join()

/** IPv4 addresses in IPv6 clothes: mapped (RFC 4291) and translated (RFC 6052). All of them would share one /64. */
function embeddedIpv4(groups: readonly number[]): string | undefined {
  const prefix = groups.slice(0, 6).join()
  if (prefix !== mappedPrefix && prefix !== translatedPrefix) return undefined
  const [high = 0, low = 0] = groups.slice(6)
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}
