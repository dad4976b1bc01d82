import { rootCertificates } from 'node:tls'
import { Agent, buildConnector, type Dispatcher, Pool, ProxyAgent } from 'undici'
import type { ReuseWatch } from './connection-reuse.ts'
import { lookupTogether } from './lookups.ts'
import { type OutboundProxySettings, proxyFor } from './outbound-proxy.ts'

/** A certificate that is shown to the provider (RFC 8705), PEM. */
export interface CertificatePair {
  readonly certPem: string
  readonly keyPem: string
}

/** How connections are made. */
export interface AgentOptions extends OutboundProxySettings {
  /** Authorities that stand in place of the system's, PEM. */
  readonly providerCa?: string | undefined
  /** Asked before each call: a certificate that was replaced is used from the next call on. */
  readonly shownCertificate?: (() => CertificatePair | undefined) | undefined
}

/** The connections to one provider, in whatever way an address is reached. */
export interface Agents {
  /** @param isInternal an address of the operator's own network, before which no proxy stands */
  of(url: URL, isInternal: boolean): Dispatcher
  /** Idle connections are closed; what is under way ends by its own deadline. */
  close(): void
}

/** More at once would be a flood, not a provider's work; what is beyond waits, bounded by its deadline. */
const mostConnections = 256

/** Creates them. Nothing is connected before the first call. */
export function createAgents(options: AgentOptions, timeoutMs: number, reuse: ReuseWatch): Agents {
  const open = new Map<string, Dispatcher>()
  let shown: CertificatePair | undefined

  /** Connections that have shown another certificate are no longer used. */
  function refreshCertificate(): void {
    const current = options.shownCertificate?.()
    if (current?.certPem === shown?.certPem && current?.keyPem === shown?.keyPem) return
    shown = current
    closeAll()
  }

  function closeAll(): void {
    for (const agent of open.values()) void agent.close().catch(() => undefined)
    open.clear()
  }

  function create(proxy: string | undefined): Dispatcher {
    const connect = { ...tlsOptions(options.providerCa, shown), timeout: timeoutMs, lookup: lookupTogether }
    if (proxy === undefined)
      return new Agent({ connections: mostConnections, connect: reuse.watching(buildConnector(connect)) })
    return createProxyAgent(proxy, { ...connect, authority: options.providerCa }, reuse)
  }

  return {
    of(url, isInternal) {
      refreshCertificate()
      const proxy = isInternal ? undefined : proxyFor(url, options)
      const agent = open.get(proxy ?? '') ?? create(proxy)
      open.set(proxy ?? '', agent)
      return agent
    },
    close: closeAll,
  }
}

/** Certificates are always verified, whatever the environment says (`NODE_TLS_REJECT_UNAUTHORIZED`). */
function tlsOptions(ca: string | readonly string[] | undefined, pair: CertificatePair | undefined) {
  return {
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca: typeof ca === 'string' ? ca : [...ca] }),
    ...(pair !== undefined && { cert: pair.certPem, key: pair.keyPem }),
  }
}

/** How a tunnel, and the connection within it, are made. */
interface TunnelOptions extends ReturnType<typeof tlsOptions> {
  readonly timeout: number
  readonly authority: string | undefined
}

/** Always a tunnel (RFC 9110 section 9.3.6): the proxy sees the provider's name and nothing else. */
function createProxyAgent(
  proxy: string,
  { authority, ...connect }: TunnelOptions,
  reuse: ReuseWatch,
): Dispatcher {
  return new ProxyAgent({
    uri: proxy,
    requestTls: connect,
    // A proxy of the same house often has its certificate from the same authority.
    proxyTls: {
      ...tlsOptions(authority === undefined ? undefined : [...rootCertificates, authority], undefined),
      timeout: connect.timeout,
    },
    factory: (origin, agentOptions) => new Pool(origin, watched(agentOptions, reuse)),
  })
}

/** The options of a tunnel's pool hold the connector that opens the tunnel. */
function watched(agentOptions: object, reuse: ReuseWatch): Pool.Options {
  const options: Pool.Options = { ...agentOptions, connections: mostConnections }
  const { connect } = options
  return typeof connect === 'function' ? { ...options, connect: reuse.watching(connect) } : options
}
