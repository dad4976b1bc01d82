import type { HttpContext } from '../server/http-context.ts'
import type { TransactionKind } from './cookies.ts'
import { maxTransactionBytes, type Transactions } from './transactions.ts'

/** What a `Cookie` header and the sealing have to say about transactions. */
type TransactionContext = Pick<HttpContext, 'cookies' | 'transactions' | 'startPath'>

type Transaction<Kind extends TransactionKind> = NonNullable<ReturnType<typeof open<Kind>>>

function open<Kind extends TransactionKind>(transactions: Transactions, kind: Kind, untrusted: string) {
  return transactions.open(kind, untrusted)
}

/** A transaction that a browser still holds, and the cookie that holds it. */
export interface FoundTransaction<Kind extends TransactionKind> {
  readonly cookieName: string
  readonly transaction: Transaction<Kind>
}

/**
 * The `Set-Cookie` values that hand a transaction to the browser and clear what would be too much with it. One that browsers would not keep
 * for its length forgets where it was to lead.
 */
export function startTransaction<Kind extends TransactionKind>(
  { cookies, transactions, startPath }: TransactionContext,
  kind: Kind,
  untrustedHeader: string | undefined,
  transaction: Transaction<Kind>,
): readonly string[] {
  const name = cookies.transactionName(kind, transaction.state)
  const whole = transactions.seal(kind, transaction)
  const isKept = whole.length <= maxTransactionBytes
  const sealed = isKept ? whole : transactions.seal(kind, { ...transaction, returnTo: startPath })
  const others = (one: TransactionKind) =>
    cookies.readTransactions(one, untrustedHeader).filter((cookie) => cookie.name !== name)
  const surplus = transactions.surplus(kind, { login: others('login'), logout: others('logout') }, sealed)
  return [...surplus.map(cookies.clearTransaction), cookies.setTransaction(name, sealed)]
}

/** The transactions of a kind that a browser holds and that open, the newest first. */
export function findTransactions<Kind extends TransactionKind>(
  { cookies, transactions }: TransactionContext,
  kind: Kind,
  untrustedHeader: string | undefined,
): readonly FoundTransaction<Kind>[] {
  return cookies
    .readTransactions(kind, untrustedHeader)
    .flatMap(({ name, untrustedValue }) => {
      const transaction = transactions.open(kind, untrustedValue)
      return transaction === undefined ? [] : [{ cookieName: name, transaction }]
    })
    .sort((a, b) => b.transaction.startedAtMs - a.transaction.startedAtMs)
}
