import { BlockList, isIP } from 'node:net'
import { isLoopback } from '../config/settings/kinds/address.ts'

/** What the environment says about proxies on the way out. */
export interface OutboundProxySettings {
  /** For https addresses. */
  readonly httpsProxy?: string | undefined
  /** For http addresses. */
  readonly httpProxy?: string | undefined
  /** What is reached without a proxy; `*`: everything. */
  readonly noProxy?: readonly string[] | undefined
}

const defaultPorts: Readonly<Record<string, string>> = { 'https:': '443', 'http:': '80' }

/**
 * The proxy through which an address is reached, or `undefined`: directly. Loopback never has one; `NO_PROXY` is read as curl and Go do:
 * a host with all beneath it, `host:port`, an address, a CIDR network.
 */
export function proxyFor(url: URL, settings: OutboundProxySettings): string | undefined {
  const proxy = url.protocol === 'https:' ? settings.httpsProxy : settings.httpProxy
  if (proxy === undefined || isLoopback(url)) return undefined
  const host = bare(url.hostname)
  const port = url.port === '' ? (defaultPorts[url.protocol] ?? '') : url.port
  return (settings.noProxy ?? []).some((entry) => isExempt(entry, host, port)) ? undefined : proxy
}

/** What the settings say about the way to APIs. */
export interface UpstreamWay extends OutboundProxySettings {
  /** Whether the proxies of the environment stand before APIs, too. */
  readonly upstreamProxy?: 'off' | 'environment' | undefined
}

/** The proxy through which an https API is reached, or `undefined`: directly. Plain http never goes by one: it would see tokens. */
export function upstreamProxyFor(upstream: URL, settings: UpstreamWay): URL | undefined {
  if (settings.upstreamProxy !== 'environment' || upstream.protocol !== 'https:') return undefined
  const proxy = proxyFor(upstream, settings)
  return proxy === undefined ? undefined : new URL(proxy)
}

/** Without the brackets of an IPv6 address, and without the dot that ends a fully qualified name. */
function bare(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
}

function isExempt(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  const network = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(entry)
  if (network !== null) return isWithin(host, network[1] ?? '', Number(network[2]))
  const [, name = entry, onlyPort] = /^(.+?):(\d{1,5})$/.exec(isIP(entry) === 6 ? '' : entry) ?? []
  if (onlyPort !== undefined && onlyPort !== port) return false
  const wanted = bare(name).replace(/^\*?\./, '')
  return host === wanted || (isIP(host) === 0 && host.endsWith(`.${wanted}`))
}

function isWithin(host: string, network: string, bits: number): boolean {
  const family = isIP(host)
  if (family === 0 || family !== isIP(network) || bits > (family === 4 ? 32 : 128)) return false
  const list = new BlockList()
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  list.addSubnet(network, bits, kind)
  return list.check(host, kind)
}
