import { parseObject } from '../../basics/plain-object.ts'
import { createProviderNetwork, type ProviderNetworkOptions } from '../../network/provider-network.ts'
import { describeTransportError } from '../../oidc/provider/failures/provider-error.ts'
import { quietTelemetry } from '../quiet-telemetry.ts'

/** A discovery document as it came; nothing in it is what it should be before it was looked at. */
export type Metadata = Readonly<Record<string, unknown>>

/** What came of asking for it. */
export type Discovery =
  | {
      readonly kind: 'found'
      readonly metadata: Metadata
      /** The provider's clock ahead of ours, milliseconds, exact to a second; `undefined` without a `Date`. */
      readonly aheadMs: number | undefined
    }
  | { readonly kind: 'unreachable'; readonly code: string }
  | { readonly kind: 'not_found'; readonly status: number }
  | { readonly kind: 'malformed' }

/** Where the document is (OpenID Connect Discovery 1.0 section 4). */
export function discoveryUrl(issuerUrl: string): URL {
  return new URL(`${issuerUrl.replace(/\/$/, '')}/.well-known/openid-configuration`)
}

/** Asks for the discovery document. */
export async function discover(options: ProviderNetworkOptions, now: () => number): Promise<Discovery> {
  const startedMs = now()
  try {
    const response = await fetchJson(discoveryUrl(options.issuerUrl), options)
    if (response.status !== 200) return { kind: 'not_found', status: response.status }
    const { document } = response
    if (document === undefined) return { kind: 'malformed' }
    return { kind: 'found', metadata: document, aheadMs: aheadOf(response.headers, startedMs, now()) }
  } catch (error) {
    return { kind: 'unreachable', code: describeTransportError(error) }
  }
}

/**
 * Fetches a JSON document of the provider, with the bounds that the gateway has.
 *
 * @throws whatever `fetch` throws
 */
export async function fetchJson(
  url: URL,
  options: ProviderNetworkOptions,
): Promise<{
  readonly status: number
  readonly document: Metadata | undefined
  readonly headers: Headers
}> {
  const network = createProviderNetwork(options, quietTelemetry())
  const headers = { accept: 'application/json' }
  const get = network.fetch('discovery')
  const response = await get(url.href, { method: 'GET', headers, body: null, redirect: 'manual' })
  network.close()
  return {
    status: response.status,
    document: parseObject(await response.text()),
    headers: response.headers,
  }
}

/** `Date` is cut off to whole seconds, so on average it is half a second behind; a cache tells how old it is (RFC 9111 section 5.1). */
function aheadOf(headers: Headers, startedMs: number, endedMs: number): number | undefined {
  const theirsMs = Date.parse(headers.get('date') ?? '')
  const ageMs = Number(headers.get('age') ?? 0) * 1_000
  const ahead = theirsMs + ageMs + 500 - (startedMs + endedMs) / 2
  return Number.isNaN(ahead) ? undefined : ahead
}

/** A text member, or `undefined`. */
export function textOf(metadata: Metadata, name: string): string | undefined {
  const value = metadata[name]
  return typeof value === 'string' ? value : undefined
}

/** A member that is a list of texts, or `undefined` when it is not announced. */
export function listOf(metadata: Metadata, name: string): readonly string[] | undefined {
  const value = metadata[name]
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : undefined
}
