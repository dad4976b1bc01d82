import type { Config } from '../../config/load-config.ts'
import type { ProxiedRoute } from '../../config/routes/route.ts'
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

/** The route's own certificate, or the client's where tokens are bound to it (RFC 8705 section 3). */
function certificateFor({ tls }: ProxiedRoute, config: Config) {
  const { tokenBinding, clientCertificate, clientCertificateKey } = config
  return tokenBinding === 'mtls'
    ? { cert: clientCertificate, key: clientCertificateKey }
    : { cert: tls?.certPem, key: tls?.keyPem }
}
