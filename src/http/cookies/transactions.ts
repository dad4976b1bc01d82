import { Buffer } from 'node:buffer'
import { transactionKinds } from '../../config/cookie-names.ts'
import type { LoginTransaction } from '../../oidc/provider/provider.ts'
import type { Sealer } from '../../sealing/sealer.ts'
import { type TransactionCookie, type TransactionKind, transactionMaxAgeSeconds } from './cookies.ts'

/** What a logout remembers until the provider sends the browser back. */
export interface LogoutTransaction {
  readonly state: string
  /** Safe path of this application, already validated. */
  readonly returnTo: string
  readonly startedAtMs: number
}

/** What each kind of transaction holds. */
export interface TransactionTypes {
  readonly login: LoginTransaction
  readonly logout: LogoutTransaction
}

/** Seals transactions into cookies and opens them; what was not sealed here, or is too old, does not open. */
export interface Transactions {
  seal<Kind extends TransactionKind>(kind: Kind, transaction: TransactionTypes[Kind]): string
  open<Kind extends TransactionKind>(kind: Kind, untrustedSealed: string): TransactionTypes[Kind] | undefined
  /**
   * Which cookies to clear so that another one has room: unreadable ones first, then the oldest, until with the new one there are at most
   * 4 of its kind, and 8,000 bytes of both kinds. Browsers send all of them with every request.
   */
  surplus(
    kind: TransactionKind,
    present: Readonly<Record<TransactionKind, readonly TransactionCookie[]>>,
    added: string,
  ): readonly string[]
}

const maxCookies = 4
/** All of a frontend together, bytes: more would crowd out what an application's own cookies need of a server's limit. */
const maxCookieBytes = 8_000

/** Browsers keep no cookie over 4,096 bytes, its name and attributes included; bytes of the value. */
export const maxTransactionBytes = 3_800

/**
 * Creates the sealing of transactions.
 *
 * @param context what they belong to, such as issuer, client and origin: those of another deployment do not open
 */
export function createTransactions(sealer: Sealer, context: string, now: () => number): Transactions {
  function open<Kind extends TransactionKind>(kind: Kind, untrustedSealed: string) {
    const untrusted = Buffer.from(untrustedSealed, 'base64url')
    // Node's decoder skips what it does not know, so that many texts would mean the same bytes.
    if (untrusted.toString('base64url') !== untrustedSealed) return undefined
    const opened = sealer.open(`${kind}-transaction`, context, untrusted)
    if (opened === undefined) return undefined
    // Authenticated, so it has the shape that this very code gave it.
    const transaction = JSON.parse(opened.bytes.toString()) as TransactionTypes[Kind]
    return isTimely(transaction, now()) ? transaction : undefined
  }
  return {
    open,
    seal: (kind, transaction) =>
      sealer
        .seal(`${kind}-transaction`, context, Buffer.from(JSON.stringify(transaction)))
        .toString('base64url'),
    surplus(kind, present, added) {
      const occupants = transactionKinds.flatMap((one) =>
        present[one].map(({ name, untrustedValue }) => ({
          kind: one,
          name,
          bytes: untrustedValue.length,
          startedAtMs: open(one, untrustedValue)?.startedAtMs,
        })),
      )
      return chooseSurplus(occupants, { kind, bytes: added.length })
    },
  }
}

/** Browsers drop the cookie by then, but nobody has to use a browser. */
function isTimely(transaction: { readonly startedAtMs: number }, nowMs: number): boolean {
  return nowMs - transaction.startedAtMs < transactionMaxAgeSeconds * 1_000
}

/** A transaction cookie as the clean-up sees it. */
export interface Occupant {
  readonly kind: TransactionKind
  readonly name: string
  readonly bytes: number
  /** `undefined` when it cannot be opened. */
  readonly startedAtMs: number | undefined
}

/** The rule of {@link Transactions.surplus}, by kinds, sizes and ages alone. */
export function chooseSurplus(
  present: readonly Occupant[],
  added: Pick<Occupant, 'kind' | 'bytes'>,
): readonly string[] {
  const leastWantedFirst = [...present].sort((a, b) => (a.startedAtMs ?? 0) - (b.startedAtMs ?? 0))
  let count = present.filter(({ kind }) => kind === added.kind).length + 1
  let bytes = present.reduce((sum, cookie) => sum + cookie.bytes, added.bytes)
  const surplus: string[] = []
  for (const cookie of leastWantedFirst) {
    const isOneTooMany = cookie.kind === added.kind && count > maxCookies
    if (!isOneTooMany && bytes <= maxCookieBytes) continue
    surplus.push(cookie.name)
    if (cookie.kind === added.kind) count -= 1
    bytes -= cookie.bytes
  }
  return surplus
}
