import type { Config } from '../../config/load-config.ts'
import { type ProxiedRoute, sentTokenKind } from '../../config/routes/route.ts'
import { upstreamProxyFor } from '../../network/outbound-proxy.ts'
import { type ProbeAnswer, probe } from './http-probe.ts'

/** A person waits for this, so it is no more patient than that, milliseconds. */
const longestWaitMs = 10_000

/**
 * Asks a route's API at the root of its upstream.
 *
 * @param headers with which a token is shown; none unless given
 */
export function askApi(
  route: ProxiedRoute,
  config: Config,
  headers: Readonly<Record<string, string>> = {},
): Promise<ProbeAnswer> {
  const { caPem: ca } = route.tls ?? {}
  const { cert, key } = certificateFor(route, config)
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
  const timeoutMs = Math.min(longestWaitMs, route.connectTimeoutMs + route.firstByteTimeoutMs)
  const proxy = upstreamProxyFor(route.upstream, config)
  const way = proxy === undefined ? undefined : { proxy, timeoutMs: route.connectTimeoutMs, ca }
  return probe({ url: route.upstream, timeoutMs, tls, headers, way })
}

/** The route's own certificate, or the client's beside tokens, which are bound to it (RFC 8705 section 3). */
function certificateFor(route: ProxiedRoute, config: Config) {
  const { tokenBinding, clientCertificate, clientCertificateKey } = config
  return tokenBinding === 'mtls' && sentTokenKind(route) !== 'none'
    ? { cert: clientCertificate, key: clientCertificateKey }
    : { cert: route.tls?.certPem, key: route.tls?.keyPem }
}
