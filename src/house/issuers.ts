import type { FrontendConfig } from '../config/frontends/load-house.ts'
import type { Config } from '../config/load-config.ts'
import { tryIssuer } from '../oidc/provider/try-issuer.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/** What became of the issuers when each was tried, without putting a frontend together. */
export interface IssuerReport {
  /** Whether each has answered or timed out, or has had its time. */
  readonly isComplete: boolean
  /** What is wrong by frontend; `null`: it was found. Those not tried yet are not there. */
  readonly problems: Readonly<Record<string, string | null>>
}

/** The tries of a process's issuers. */
export interface Issuers {
  report(): IssuerReport
  /** The frontends from now on; issuers that are new are tried. */
  follow(frontends: readonly FrontendConfig[]): void
  close(): void
}

/** Later than this after the start nobody waits for a try, milliseconds. */
const latestMs = 10_000
/** An issuer that was not found is tried again, for as long as it is not; milliseconds. */
const retryMs = 15_000
/** Tries at once: a thousand frontends may have a thousand issuers. */
const atOnce = 50

/** Frontends that would find the same. */
function keyOf({ issuerUrl, providerAddress, providerCa, providerTimeout }: Config): string {
  return JSON.stringify([issuerUrl, providerAddress?.href, providerCa, providerTimeout])
}

/**
 * Tries every issuer once, in parallel, and those that were not found again and again.
 *
 * @param changed told when the report has changed
 */
export function createIssuers(telemetry: Telemetry, changed: () => void = () => undefined): Issuers {
  const problems = new Map<string, string | null>()
  let configs: readonly FrontendConfig[] = []
  let timer: NodeJS.Timeout | undefined
  const startedAtMs = performance.now()
  let isClosed = false
  // What took too long counts as tried.
  const latest = setTimeout(changed, latestMs).unref()

  async function tryAll(): Promise<void> {
    const missing = new Map(
      configs
        .filter(({ config }) => problems.get(keyOf(config)) !== null)
        .map(({ config }) => [keyOf(config), config]),
    )
    const queue = [...missing]
    const worker = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined && !isClosed; next = queue.pop()) {
        const [key, config] = next
        problems.set(key, (await tryIssuer(config, { telemetry, now: Date.now })) ?? null)
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, queue.length) }, worker))
    changed()
    if (isClosed || missing.size === 0) return
    clearTimeout(timer)
    timer = setTimeout(() => void tryAll(), retryMs).unref()
  }

  return {
    follow(frontends) {
      configs = frontends
      void tryAll()
    },
    report() {
      const known = configs.filter(({ config }) => problems.has(keyOf(config)))
      return {
        isComplete: known.length === configs.length || performance.now() - startedAtMs >= latestMs,
        problems: Object.fromEntries(
          known.map(({ name, config }) => [name, problems.get(keyOf(config)) ?? null]),
        ),
      }
    },
    close() {
      isClosed = true
      clearTimeout(timer)
      clearTimeout(latest)
    },
  }
}
