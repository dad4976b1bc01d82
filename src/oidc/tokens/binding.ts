import { createDpopKey, type DpopKey, openDpopKey } from '../../signing/dpop-key.ts'
import type { Possession } from '../provider/proving.ts'
import type { TokenBinding } from './token-set.ts'

/** Whether tokens are to be worth something for us alone (DESIGN-2 section 5). */
export type TokenBindingKind = 'none' | TokenBinding['kind']

const opened = new WeakMap<TokenBinding, DpopKey>()

/**
 * The key of a session's tokens; opened once for each record that is in memory. `undefined` where they are bound to none.
 *
 * @throws Error when the record holds no such key
 */
export function dpopKeyOf(binding: TokenBinding | undefined): DpopKey | undefined {
  if (binding?.kind !== 'dpop') return undefined
  const known = opened.get(binding)
  if (known !== undefined) return known
  const key = openDpopKey(String(binding.privateJwk.d))
  opened.set(binding, key)
  return key
}

/** A key as a session's record keeps it. */
export function bindingOf(key: DpopKey): TokenBinding {
  const binding: TokenBinding = { kind: 'dpop', privateJwk: { ...key.publicJwk, d: key.secret } }
  opened.set(binding, key)
  return binding
}

/** The key of a login: the one that its transaction carries; one that began before keys were asked for gets its own now. */
export function loginKey(secret: string | undefined, kind: TokenBindingKind): DpopKey | undefined {
  if (secret !== undefined) return openDpopKey(secret)
  return kind === 'dpop' ? createDpopKey() : undefined
}

/** What a token response must say that its access token is bound to. */
export type ExpectedBinding =
  /** A bearer token (RFC 6750). */
  | { readonly kind: 'none' }
  /** The key of this thumbprint (RFC 9449 section 6). */
  | { readonly kind: 'dpop'; readonly thumbprint: string }

/** What a session's requests to the provider prove to have. */
export function possessionOf(binding: TokenBinding | undefined): Possession | undefined {
  const key = dpopKeyOf(binding)
  return key === undefined ? undefined : { key }
}

/** What new tokens of a session have to be bound to, by its record. */
export function expectedBy(binding: TokenBinding | undefined): ExpectedBinding {
  return expectedOf(dpopKeyOf(binding))
}

/** What the tokens of a login have to be bound to. */
export function expectedOf(key: DpopKey | undefined): ExpectedBinding {
  return key === undefined ? { kind: 'none' } : { kind: 'dpop', thumbprint: key.thumbprint }
}
