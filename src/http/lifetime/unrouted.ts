import type { ErrorCode } from '../../errors/codes.ts'

/**
 * What was refused before any frontend had it: no HTTP, CONNECT, a handshake behind an answer that is still under way, what is meant for
 * nobody here.
 */
export interface Unrouted {
  /** The one in its problem document. */
  readonly requestId: string
  /** Empty, like the target, when it was no HTTP. */
  readonly method: string
  /** As it came. */
  readonly target: string
  readonly code: ErrorCode
  /** False: its connection was closed without a word. */
  readonly isAnswered: boolean
}

/** Told of each. */
export type ReportUnrouted = (refused: Unrouted) => void
