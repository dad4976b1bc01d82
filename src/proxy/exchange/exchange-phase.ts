import type { RouteConfig } from '../../config/routes/route.ts'
import type { Upload } from './upload.ts'

/**
 * Where an exchange is: `waiting` for the head of the answer; `held`: a 401 waits until it is known whether another token cures
 * it; `streaming` the answer, `listening` to one that is an event stream; `settled`: nothing more is done for it.
 */
export type Phase = 'waiting' | 'held' | 'streaming' | 'listening' | 'settled'

/** The next move is the browser's: its body is not complete, and the upstream would take more. */
export function isBrowserLate(upload: Upload | undefined): boolean {
  return upload !== undefined && !upload.isEnded && !upload.isPaused
}

/** The longest silence that is borne in a phase, milliseconds; 0: any. */
export function silenceLimitMs(
  phase: Phase,
  upload: Upload | undefined,
  config: Pick<RouteConfig, 'firstByteTimeoutMs' | 'idleTimeoutMs' | 'streamIdleTimeoutMs'>,
): number {
  switch (phase) {
    case 'waiting':
      return isBrowserLate(upload) ? config.idleTimeoutMs : config.firstByteTimeoutMs
    case 'streaming':
      return config.idleTimeoutMs
    case 'listening':
      return config.streamIdleTimeoutMs ?? 0
    default:
      return 0
  }
}

/** The head of the answer is written, and its body is not finished. */
export function isAnswering(phase: Phase): boolean {
  return phase === 'streaming' || phase === 'listening'
}
