import { createRecentMap } from '../../basics/recent-map.ts'
import { createDpopKey, type DpopKey, openDpopKey } from '../../signing/dpop-key.ts'
import type { ProviderContext } from '../provider/context.ts'
import type { Possession } from '../provider/proving.ts'
import type { AccessToken, TokenBinding, TokenBindingKind } from './token-set.ts'

/** As many as there are sessions in the cache, unless that was made larger. */
const mostOpened = 10_000
const opened = new WeakMap<TokenBinding, DpopKey>()
/** The same keys by their secrets: a record is read again every few seconds, and opening its key costs as much as four signatures with it. */
const openedBySecret = createRecentMap<DpopKey>(mostOpened)

/**
 * The key of a session's tokens; opened once for as long as it is in use. `undefined` where they are bound to none.
 *
 * @throws Error when the record holds no such key
 */
export function dpopKeyOf(binding: TokenBinding | undefined): DpopKey | undefined {
  if (binding?.kind !== 'dpop') return undefined
  const known = opened.get(binding)
  if (known !== undefined) return known
  const secret = String(binding.privateJwk.d)
  const key = openedBySecret.get(secret) ?? openDpopKey(secret)
  openedBySecret.set(secret, key)
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
  /** A bearer token (RFC 6750); one that is bound to a certificate of ours is taken for such. */
  | { readonly kind: 'none'; readonly certificates: readonly string[] }
  /** The key of this thumbprint (RFC 9449 section 6). */
  | { readonly kind: 'dpop'; readonly thumbprint: string }
  /** One of our certificates, by their thumbprints (RFC 8705 section 3.1). */
  | { readonly kind: 'mtls'; readonly certificates: readonly [string, ...string[]] }

type Binder = Pick<ProviderContext, 'options' | 'client'>

/** What a session's requests to the provider prove to have. */
export function possessionOf(binding: TokenBinding | undefined): Possession | undefined {
  const key = dpopKeyOf(binding)
  return key === undefined ? undefined : { key }
}

/**
 * What new tokens of a session have to be bound to, by its record. One that is bound to nothing may be bound to our certificate from now on:
 * a provider binds tokens to whatever certificate it is shown.
 */
export function expectedBy(context: Binder, binding: TokenBinding | undefined): ExpectedBinding {
  const key = dpopKeyOf(binding)
  if (key !== undefined) return { kind: 'dpop', thumbprint: key.thumbprint }
  const ours = context.client.certificates?.thumbprints()
  if (binding?.kind === 'mtls') return { kind: 'mtls', certificates: ours ?? [binding.certificateThumbprint] }
  return { kind: 'none', certificates: bindsToCertificates(context) ? (ours ?? []) : [] }
}

/** What the tokens of a login have to be bound to. */
export function expectedOf(context: Binder, key: DpopKey | undefined): ExpectedBinding {
  if (key !== undefined) return { kind: 'dpop', thumbprint: key.thumbprint }
  const ours = bindsToCertificates(context) ? context.client.certificates?.thumbprints() : undefined
  return ours === undefined ? { kind: 'none', certificates: [] } : { kind: 'mtls', certificates: ours }
}

/**
 * The binding that a session's record says from now on; `undefined` where it says so already, or where nothing is bound.
 *
 * @param key of the login; a session keeps its key for ever
 */
export function newBinding(
  { boundTo }: AccessToken,
  key: DpopKey | undefined,
  before: TokenBinding | undefined,
): TokenBinding | undefined {
  if (key !== undefined) return bindingOf(key)
  if (boundTo === undefined || before?.kind === 'dpop') return undefined
  return before?.certificateThumbprint === boundTo
    ? undefined
    : { kind: 'mtls', certificateThumbprint: boundTo }
}

function bindsToCertificates({ options }: Binder): boolean {
  return options.tokenBinding === 'mtls'
}
