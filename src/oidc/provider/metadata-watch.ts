import type { Configuration } from 'openid-client'
import { GatewayError } from '../../errors/gateway-error.ts'
import { MetadataError } from './discovery.ts'
import { createDiscoveryLines } from './discovery-lines.ts'
import { describeTransportError } from './failures/provider-error.ts'
import { unmetDemands } from './failures/unmet-demands.ts'
import type { ProviderDependencies, ProviderOptions } from './options.ts'

/** The provider's metadata as they were last found, looked at again now and then. */
export interface MetadataWatch {
  /**
   * The discovered configuration; waits for the attempt under way.
   * @throws GatewayError `provider_unavailable`
   */
  configuration(): Promise<Configuration>
  /** The discovered configuration, if there is one; makes no request. */
  current(): Configuration | undefined
  status(): { readonly ready: boolean; readonly reason: string | undefined }
  /** Looks at once, unless that was just done. Never rejects. */
  lookAgain(): Promise<void>
  close(): void
}

const firstRetryMs = 1_000
const longestRetryMs = 10_000
/** Metadata changes rarely; a copy an hour old is still good. */
const rediscoverMs = 3_600_000
/** A provider that is down, or an endpoint that does not exist, must not make a storm of requests; milliseconds. */
const suspicionCooldownMs = 30_000

/**
 * Starts looking in the background.
 *
 * @param discover one attempt
 */
export function createMetadataWatch(
  discover: () => Promise<Configuration>,
  options: ProviderOptions,
  { telemetry: { log }, now }: ProviderDependencies,
): MetadataWatch {
  const { issuerUrl, providerAddress } = options
  const said = new Set<string>()
  const lines = createDiscoveryLines(log, {
    issuer: issuerUrl,
    host: (providerAddress ?? new URL(issuerUrl)).host,
  })
  let current: Configuration | undefined
  let problem: string | undefined = 'discovery has not finished yet'
  let attempt: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  let suspectedAtMs = Number.NEGATIVE_INFINITY
  let isClosed = false

  function schedule(delayMs: number): void {
    if (isClosed) return
    clearTimeout(timer)
    timer = setTimeout(() => void tryOnce(), delayMs).unref()
  }

  function onFailure(error: unknown): void {
    const reason = error instanceof MetadataError ? error.message : describeTransportError(error)
    lines.failed(reason, error instanceof MetadataError, current !== undefined)
    problem = reason
    const waitMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures)
    failures = Math.min(failures + 1, 10)
    schedule(waitMs * (0.75 + Math.random() / 2))
  }

  /** Nothing would come of any login: said once each. */
  function complain(problems: readonly string[]): void {
    for (const one of problems)
      if (!said.has(one)) log.error({ issuer: issuerUrl }, `every login will fail: ${one}`)
    for (const one of problems) said.add(one)
  }

  async function look(): Promise<void> {
    try {
      const isFirst = current === undefined
      current = await discover()
      lines.succeeded(isFirst)
      complain(unmetDemands(current.serverMetadata(), options))
      problem = undefined
      failures = 0
      schedule(rediscoverMs)
    } catch (error) {
      onFailure(error)
    }
  }

  /** One attempt at a time, whoever asks. */
  function tryOnce(): Promise<void> {
    attempt ??= look().finally(() => {
      attempt = undefined
    })
    return attempt
  }

  void tryOnce()
  return {
    async configuration() {
      if (current === undefined) await tryOnce()
      if (current !== undefined) return current
      throw new GatewayError('provider_unavailable', { context: { reason: problem } })
    },
    current: () => current,
    status: () => ({ ready: current !== undefined, reason: current === undefined ? problem : undefined }),
    async lookAgain() {
      if (attempt !== undefined) return attempt
      if (isClosed || now() - suspectedAtMs < suspicionCooldownMs) return
      suspectedAtMs = now()
      lines.suspected()
      await tryOnce()
    },
    close() {
      isClosed = true
      clearTimeout(timer)
    },
  }
}
