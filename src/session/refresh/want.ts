import type { AccessToken, ApiAudience } from '../../oidc/tokens/token-set.ts'
import type { OpenSession } from '../lifecycle/sessions.ts'
import { isDue, isSendable } from '../record/token-rules.ts'
import type { RecordChange } from './change.ts'

/** What a request wants of a session's token. */
export type Wish =
  /** One that may be sent. */
  | { readonly kind: 'sendable' }
  /** One whose refresh is not due. */
  | { readonly kind: 'not_due' }
  /** Another one than that which an API has rejected. */
  | { readonly kind: 'other_than'; readonly rejected: string }

/** One wish for one API, shared by all requests that have the same. */
export interface Want {
  readonly key: string
  readonly audience: ApiAudience
  readonly token: Promise<AccessToken>
  isFulfilledBy(token: AccessToken, nowMs: number): boolean
  resolve(token: AccessToken): void
  reject(error: unknown): void
}

/** Names a wish: those with the same key are one. */
export function wantKey(audience: ApiAudience, wish: Wish): string {
  return JSON.stringify([audience.key, wish.kind, wish.kind === 'other_than' ? wish.rejected : ''])
}

/** Makes an open want. */
export function createWant(audience: ApiAudience, wish: Wish): Want {
  const { promise, resolve, reject } = Promise.withResolvers<AccessToken>()
  // Nobody may be waiting any more: the work is not tied to those who began it.
  promise.catch(() => undefined)
  return {
    key: wantKey(audience, wish),
    audience,
    token: promise,
    isFulfilledBy: (token, nowMs) => isFulfilled(wish, token, nowMs),
    resolve,
    reject,
  }
}

/** A change that is to be written, and who waits for it. */
export interface WantedChange {
  readonly change: RecordChange
  readonly session: Promise<OpenSession>
  resolve(session: OpenSession): void
  reject(error: unknown): void
}

/** Makes one that is not written yet. */
export function createWantedChange(change: RecordChange): WantedChange {
  const { promise, resolve, reject } = Promise.withResolvers<OpenSession>()
  promise.catch(() => undefined)
  return { change, session: promise, resolve, reject }
}

function isFulfilled(wish: Wish, token: AccessToken, nowMs: number): boolean {
  if (wish.kind === 'not_due') return !isDue(token, nowMs)
  const isOther = wish.kind === 'sendable' || token.value !== wish.rejected
  return isOther && isSendable(token, nowMs)
}
