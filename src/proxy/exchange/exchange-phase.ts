import type { RouteConfig } from '../../config/routes/route.ts'
import { sweepMs } from '../upstream/sweep.ts'
import type { ExchangeContext } from './exchange-context.ts'
import type { Upload } from './upload.ts'

/**
 * Where an exchange is: `waiting` for the head of the answer; `held`: a 401 waits until it is known whether another token cures
 * it; `streaming` the answer, `listening` to one that is an event stream; `settled`: nothing more is done for it.
 */
export type Phase = 'waiting' | 'held' | 'streaming' | 'listening' | 'settled'

/** The next move is the browser's: its body is not complete, and the upstream would take more. */
function isBrowserLate(upload: Upload | undefined): boolean {
  return upload !== undefined && !upload.isEnded && !upload.isPaused
}

/** What is borne, milliseconds but for the rate. */
export type SilenceLimits = Pick<
  RouteConfig,
  'firstByteTimeoutMs' | 'idleTimeoutMs' | 'streamIdleTimeoutMs'
> & {
  /** Of an upload, bytes a second; 0: any. */
  readonly uploadMinRate: number
}

/** The limits of a route's requests. */
export function silenceLimits({ route: { config }, uploadMinRate }: ExchangeContext): SilenceLimits {
  return { ...config, uploadMinRate }
}

/** The longest silence that is borne in a phase, milliseconds; 0: any. */
function silenceLimitMs(phase: Phase, upload: Upload | undefined, limits: SilenceLimits): number {
  switch (phase) {
    case 'waiting':
      // The answer is waited for once the upstream has the request; before that a body must move.
      if (upload !== undefined && !upload.isEnded) return limits.idleTimeoutMs
      return limits.firstByteTimeoutMs + (upload?.underWayMs ?? 0)
    case 'streaming':
      return limits.idleTimeoutMs
    case 'listening':
      return limits.streamIdleTimeoutMs ?? 0
    default:
      return 0
  }
}

/** What has been borne for too long, to be called at every sweep; `undefined`: nothing. */
export function overdue(
  phase: Phase,
  upload: Upload | undefined,
  limits: SilenceLimits,
  silentMs: number,
): 'request_timeout' | 'upstream_timeout' | 'silent' | undefined {
  const isBehind = upload !== undefined && !upload.isWhole && !upload.keepsPace(limits.uploadMinRate)
  if (isBehind) return 'request_timeout'
  const limitMs = silenceLimitMs(phase, upload, limits)
  if (limitMs === 0 || silentMs <= limitMs) return undefined
  if (phase !== 'waiting') return 'silent'
  return isBrowserLate(upload) ? 'request_timeout' : 'upstream_timeout'
}

/** The head of the answer is written, and its body is not finished. */
export function isAnswering(phase: Phase): boolean {
  return phase === 'streaming' || phase === 'listening'
}

/** How long nothing has moved, in either direction. */
export class Silence {
  readonly #clock: { readonly sweep: number }
  #movedAtSweep: number
  /** The browser takes nothing more at the moment; for how long that may be is the connection's affair. */
  #isBrowserFull = false

  constructor(clock: { readonly sweep: number }) {
    this.#clock = clock
    this.#movedAtSweep = clock.sweep
  }

  /** Something has moved. */
  ends(isBrowserFull = false): void {
    this.#movedAtSweep = this.#clock.sweep
    this.#isBrowserFull = isBrowserFull
  }

  lastsMs(): number {
    return this.#isBrowserFull ? 0 : (this.#clock.sweep - this.#movedAtSweep) * sweepMs
  }
}
